#include "compress_filter.h"

#include <algorithm>
#include <utility>

namespace gaidaros {

CompressFilter::~CompressFilter() {
  pool_.give(std::move(encoder_));
  pool_.give(std::move(decoder_));
}

Filter::Status CompressFilter::decode(std::span<const uint8_t> input, std::vector<uint8_t>& plain,
                                      std::vector<uint8_t>&) {
  if (is_refused_) return Status::kRefused;
  bool is_new = !input.empty();
  if (is_new && holds()) {
    held_.insert(held_.end(), input.begin(), input.end());
    return Status::kOk;
  }
  if (is_new) burst_ = 0;
  std::span<const uint8_t> rest =
      is_new ? input : std::span<const uint8_t>(held_).subspan(held_at_);
  size_t had = rest.size();
  std::span<uint8_t> room = pool_.scratch();
  inflate(rest, room);
  std::span<const uint8_t> made = pool_.scratch().first(CodecPool::kScratch - room.size());
  if (is_over_limit(had - rest.size(), made.size())) {
    refuse(Reason::inflate_limit);
    return Status::kRefused;
  }
  plain.insert(plain.end(), made.begin(), made.end());
  if (is_refused_) return made.empty() ? Status::kRefused : Status::kOk;
  if (is_new) {
    held_.assign(rest.begin(), rest.end());
    held_at_ = 0;
  } else {
    held_at_ = held_.size() - rest.size();
  }
  if (held_at_ == held_.size()) drop_held();
  return Status::kOk;
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
  }
}

// Behind a stream: another one, padding, or what does not belong there. False: nothing to decode is
// left.
bool CompressFilter::begin_next(std::span<const uint8_t>& input) {
  if (!is_padding_ && pool_.codec().joins(input[0])) {
    has_ended_ = false;
    return true;
  }
  bool is_zero = std::all_of(input.begin(), input.end(), [](uint8_t byte) { return byte == 0; });
  is_padding_ = is_zero && pool_.codec().pads();
  if (!is_padding_) refuse(Reason::inflate_trailing);
  used_ += input.size();
  input = {};
  return false;
}

bool CompressFilter::is_over_limit(size_t used, size_t made) {
  used_ += used;
  made_ += made;
  burst_ += made;
  counters_.plain_bytes_in += made;
  if (limits_.max > 0 && burst_ > limits_.max) return true;
  return limits_.ratio > 0 && made_ > kRatioFrom && made_ > limits_.ratio * used_;
}

void CompressFilter::refuse(Reason why) {
  refusal_ = why;
  is_refused_ = true;
  full_ = false;
  drop_held();
  pool_.give(std::move(decoder_));
}

// Memory that a burst has needed is not kept.
void CompressFilter::drop_held() {
  std::vector<uint8_t>().swap(held_);
  held_at_ = 0;
}

// Each call's bytes can be read by the peer: the loop gathers those of a turn.
Filter::Status CompressFilter::encode(std::span<const uint8_t> plain, bool,
                                      std::vector<uint8_t>& output) {
  if (plain.empty() || has_finished_) return Status::kOk;
  counters_.plain_bytes_out += plain.size();
  if (!encoder_) encoder_ = pool_.take_encoder();
  if (encoder_ && encode_all(*encoder_, plain, Encoder::Flush::turn, output)) return Status::kOk;
  refusal_ = Reason::filter_error;
  return Status::kError;
}

// Whoever has said nothing at all, or whole streams only, has ended as is right.
Filter::Status CompressFilter::finish(std::vector<uint8_t>&) {
  if (has_ended_ || used_ == 0) return Status::kOk;
  refuse(Reason::inflate_truncated);
  return Status::kRefused;
}

// A stream without any bytes is one, too: its reader wants to see its end.
void CompressFilter::end(std::vector<uint8_t>& output) {
  has_finished_ = true;
  if (!encoder_) encoder_ = pool_.take_encoder();
  if (!encoder_) return;
  if (!encode_all(*encoder_, {}, Encoder::Flush::finish, output)) output.clear();
  pool_.give(std::move(encoder_));
}

}  // namespace gaidaros
