// Compression of a stream, both ways (-z): what comes is inflated, what leaves is deflated. Its
// encoder and decoder are there from the first byte that they have to do with to the stream's end.
#pragma once

#include "../conn/filter.h"
#include "../core/stats.h"
#include "codec_pool.h"

namespace gaidaros {

class CompressFilter final : public Filter {
 public:
  // All three outlive it.
  CompressFilter(CodecPool& pool, const InflateLimits& limits, Counters& counters)
      : pool_(pool), limits_(limits), counters_(counters) {}
  ~CompressFilter() override;

  Step decode(std::span<const uint8_t> input, std::span<uint8_t> room,
              std::vector<uint8_t>& reply) override;
  Status encode(std::span<const uint8_t> plain, bool flush, std::vector<uint8_t>& output) override;
  Status finish(std::vector<uint8_t>& plain) override;
  void end(std::vector<uint8_t>& output) override;
  Reason reason() const override { return refusal_; }

 private:
  void inflate(std::span<const uint8_t>& input, std::span<uint8_t>& room);
  bool begin_next(std::span<const uint8_t>& input);
  bool is_over_limit() const;
  void refuse(Reason why);

  CodecPool& pool_;
  const InflateLimits& limits_;
  Counters& counters_;
  std::unique_ptr<Encoder> encoder_;
  std::unique_ptr<Decoder> decoder_;
  uint64_t used_ = 0;   // bytes of input so far
  uint64_t made_ = 0;   // and of what they became
  uint64_t burst_ = 0;  // of what became of the input in hand
  Reason refusal_ = Reason::inflate_error;
  bool is_refused_ = false;    // nothing further is understood
  bool full_ = false;          // the decoder may have more output without further input
  bool has_ended_ = false;     // the stream has; another one may follow
  bool is_padding_ = false;    // only zeros may follow
  bool has_finished_ = false;  // ours has ended
};

}  // namespace gaidaros
