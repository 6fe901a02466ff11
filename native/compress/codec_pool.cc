#include "codec_pool.h"

#include <utility>

namespace gaidaros {

namespace {

// Of each kind. With the usual settings of gzip that is 5 MiB that a loop keeps when all of its
// connections have gone.
constexpr size_t kMostWaiting = 16;

template <class Coder>
std::unique_ptr<Coder> take(std::vector<std::unique_ptr<Coder>>& waiting) {
  if (waiting.empty()) return nullptr;
  std::unique_ptr<Coder> taken = std::move(waiting.back());
  waiting.pop_back();
  return taken;
}

template <class Coder>
void keep(std::vector<std::unique_ptr<Coder>>& waiting, std::unique_ptr<Coder> coder) {
  if (coder && waiting.size() < kMostWaiting && coder->reset()) waiting.push_back(std::move(coder));
}

}  // namespace

std::unique_ptr<CodecPool> CodecPool::make(const CompressOptions& options, std::string& error) {
  std::unique_ptr<Codec> codec = make_codec(options, error);
  if (!codec) return nullptr;
  return std::unique_ptr<CodecPool>(new CodecPool(std::move(codec)));
}

std::unique_ptr<Encoder> CodecPool::take_encoder() {
  std::unique_ptr<Encoder> waiting = take(encoders_);
  return waiting ? std::move(waiting) : codec_->encoder();
}

std::unique_ptr<Decoder> CodecPool::take_decoder() {
  std::unique_ptr<Decoder> waiting = take(decoders_);
  return waiting ? std::move(waiting) : codec_->decoder();
}

void CodecPool::give(std::unique_ptr<Encoder> encoder) { keep(encoders_, std::move(encoder)); }
void CodecPool::give(std::unique_ptr<Decoder> decoder) { keep(decoders_, std::move(decoder)); }

}  // namespace gaidaros
