// Compression of a stream, both ways (-z): what comes is inflated, what leaves is deflated. It
// makes no more at a time than fits its scratch memory, and holds the rest of its input until the
// framer has taken that: a few bytes may stand for megabytes. Its encoder and decoder are there
// from the first byte that they have to do with to the stream's end.
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

  Status decode(std::span<const uint8_t> input, std::vector<uint8_t>& plain,
                std::vector<uint8_t>& reply) override;
  bool holds() const override { return full_ || held_at_ < held_.size() || is_refused_; }
  Status encode(std::span<const uint8_t> plain, bool flush, std::vector<uint8_t>& output) override;
  Status finish(std::vector<uint8_t>& plain) override;
  void end(std::vector<uint8_t>& output) override;
  Reason reason() const override { return refusal_; }

 private:
  void inflate(std::span<const uint8_t>& input, std::span<uint8_t>& room);
  bool begin_next(std::span<const uint8_t>& input);
  bool is_over_limit(size_t used, size_t made);
  void refuse(Reason why);
  void drop_held();

  CodecPool& pool_;
  const InflateLimits& limits_;
  Counters& counters_;
  std::unique_ptr<Encoder> encoder_;
  std::unique_ptr<Decoder> decoder_;
  std::vector<uint8_t> held_;  // input that waits, from held_at_ on
  size_t held_at_ = 0;
  uint64_t used_ = 0;   // bytes of input so far
  uint64_t made_ = 0;   // and of what they became
  uint64_t burst_ = 0;  // of what became of what was received last
  Reason refusal_ = Reason::inflate_error;
  bool is_refused_ = false;    // nothing further is understood
  bool full_ = false;          // the decoder may have more output without further input
  bool has_ended_ = false;     // the stream has; another one may follow
  bool is_padding_ = false;    // only zeros may follow
  bool has_finished_ = false;  // ours has ended
};

}  // namespace gaidaros
