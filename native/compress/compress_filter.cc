#include "compress_filter.h"

#include <algorithm>
#include <utility>

namespace gaidaros {

CompressFilter::~CompressFilter() {
  pool_.give(std::move(encoder_));
  pool_.give(std::move(decoder_));
}

// What it does not understand it says only when all before it has gone to the framer.
Filter::Step CompressFilter::decode(std::span<const uint8_t> input, std::span<uint8_t> room,
                                    std::vector<uint8_t>&) {
  if (is_refused_) return {Status::kRefused, 0, 0};
  std::span<const uint8_t> rest = input;
  std::span<uint8_t> left = room;
  inflate(rest, left);
  size_t used = input.size() - rest.size();
  size_t made = room.size() - left.size();
  counters_.compressed_bytes_in += used;
  used_ += used;
  made_ += made;
  burst_ += made;
  if (is_over_limit()) {
    refuse(Reason::inflate_limit);
    return {Status::kRefused, 0, 0};
  }
  bool is_more = full_ || is_refused_;
  if (!is_more) burst_ = 0;
  return {is_more ? Status::kMore : Status::kOk, used, made};
}

// Takes input until it is used up, the room is, or it is not understood.
void CompressFilter::inflate(std::span<const uint8_t>& input, std::span<uint8_t>& room) {
  while (full_ || !input.empty()) {
    if (has_ended_ && !begin_next(input)) return;
    if (!decoder_) decoder_ = pool_.take_decoder();
    Progress progress = decoder_ ? decoder_->decode(input, room) : Progress::broken;
    full_ = progress == Progress::room;
    if (progress == Progress::broken) return refuse(Reason::inflate_error);
    if (progress != Progress::end) return;
    has_ended_ = true;
    pool_.give(std::move(decoder_));
    // A decoder without room could not tell its end from want of it.
    full_ = room.empty() && !input.empty();
    if (full_) return;
  }
}

// Behind a stream: another one, padding, or what does not belong there. False: nothing to decode is
// left.
bool CompressFilter::begin_next(std::span<const uint8_t>& input) {
  full_ = false;
  if (!is_padding_ && pool_.codec().joins(input[0])) {
    has_ended_ = false;
    return true;
  }
  bool is_zero = std::all_of(input.begin(), input.end(), [](uint8_t byte) { return byte == 0; });
  is_padding_ = is_zero && pool_.codec().pads();
  if (!is_padding_) refuse(Reason::inflate_trailing);
  input = {};
  return false;
}

bool CompressFilter::is_over_limit() const {
  if (limits_.max > 0 && burst_ > limits_.max) return true;
  return limits_.ratio > 0 && made_ > kRatioFrom && made_ > limits_.ratio * used_;
}

void CompressFilter::refuse(Reason why) {
  refusal_ = why;
  is_refused_ = true;
  full_ = false;
  pool_.give(std::move(decoder_));
}

// Each call's bytes can be read by the peer: the loop gathers those of a turn.
Filter::Status CompressFilter::encode(std::span<const uint8_t> plain, bool,
                                      std::vector<uint8_t>& output) {
  if (plain.empty() || has_finished_) return Status::kOk;
  size_t before = output.size();
  if (!encoder_) encoder_ = pool_.take_encoder();
  bool is_done = encoder_ && encode_all(*encoder_, plain, Encoder::Flush::turn, output);
  counters_.compressed_bytes_out += output.size() - before;
  if (is_done) return Status::kOk;
  refusal_ = Reason::filter_error;
  return Status::kError;
}

// Whoever has said nothing at all, or whole streams only, has ended as is right.
Filter::Status CompressFilter::finish(std::vector<uint8_t>&) {
  if (has_ended_ || used_ == 0) return Status::kOk;
  refuse(Reason::inflate_truncated);
  return Status::kError;
}

// A stream without any bytes is one, too: its reader wants to see its end.
void CompressFilter::end(std::vector<uint8_t>& output) {
  has_finished_ = true;
  if (!encoder_) encoder_ = pool_.take_encoder();
  if (!encoder_) return;
  size_t before = output.size();
  if (!encode_all(*encoder_, {}, Encoder::Flush::finish, output)) output.resize(before);
  counters_.compressed_bytes_out += output.size() - before;
  pool_.give(std::move(encoder_));
}

}  // namespace gaidaros
