#include "records.h"

#include <algorithm>
#include <cstring>

namespace gaidaros {

namespace {

// RFC 8446 sections 5.1, 6 and B.3.
enum ContentType : uint8_t { kAlert = 21, kHandshake = 22, kApplicationData = 23 };
enum Alert : uint8_t {
  kCloseNotify = 0,
  kUnexpectedMessage = 10,
  kBadRecordMac = 20,
  kRecordOverflow = 22,
  kIllegalParameter = 47,
  kDecodeError = 50,
  kInternalError = 80,
  kUserCanceled = 90,
};
constexpr uint8_t kWarning = 1;
constexpr uint8_t kFatal = 2;
constexpr uint8_t kKeyUpdateType = 24;

constexpr size_t kMostPlain = 16384;              // section 5.1
constexpr size_t kMostSealed = kMostPlain + 256;  // section 5.2
// Records under one key: AES-GCM is good for 2^24.5 of full size (section 5.5).
constexpr uint64_t kMostOfKey = uint64_t{1} << 24;
// Padding, updates of keys and warnings cost the peer less than us.
constexpr uint8_t kMostSilent = 32;

size_t sealed_size(std::span<const uint8_t> header) {
  return static_cast<size_t>(header[3] << 8 | header[4]);
}

}  // namespace

uint64_t Records::count(std::span<const uint8_t> wire) {
  uint64_t count = 0;
  while (wire.size() >= kHeader) {
    if (wire[0] == kApplicationData) count++;
    wire = wire.subspan(std::min(kHeader + sealed_size(wire), wire.size()));
  }
  return count;
}

std::unique_ptr<Records> Records::make(uint16_t suite, const TrafficSecrets& secrets,
                                       uint64_t sent) {
  auto records = std::make_unique<Records>();
  bool done = records->reading_.start(suite, Traffic::Use::open, secrets.client) &&
              records->sending_.start(suite, Traffic::Use::seal, secrets.server);
  records->sending_.skip(sent);
  return done ? std::move(records) : nullptr;
}

Filter::Step Records::decode(std::span<const uint8_t> input, std::span<uint8_t> room,
                             std::vector<uint8_t>& reply) {
  const size_t size = input.size();
  Filter::Step step;
  step.made = hand_out(room);
  while (step.status == Status::kOk) {
    if (!plain_.empty()) {
      step.status = Status::kMore;
      break;
    }
    if (has_ended_) {
      step.status = Status::kEnd;
      break;
    }
    std::span<const uint8_t> record = next(input, reply);
    if (!fault_.empty()) step.status = Status::kError;
    if (record.empty()) break;
    std::span<uint8_t> rest = room.subspan(step.made);
    if (step.made > 0 && record.size() > rest.size() + kHeader + Traffic::kTag) {
      step.status = Status::kMore;
      break;
    }
    bool is_straight = held_.empty();
    if (is_straight) input = input.subspan(record.size());
    step.status = take(record, rest, step.made, reply);
    if (!is_straight) empty(held_);
  }
  step.used = size - input.size();
  return step;
}

// The next record: in `input`, where it stays, if all of it is there, else in held_. Empty: there
// is more to come, or a fault.
std::span<const uint8_t> Records::next(std::span<const uint8_t>& input,
                                       std::vector<uint8_t>& reply) {
  if (held_.empty() && input.size() >= kHeader) {
    if (!is_sound(input, reply)) return {};
    size_t size = kHeader + sealed_size(input);
    if (input.size() >= size) return input.first(size);
  }
  if (!gather(input, kHeader) || !is_sound(held_, reply)) return {};
  return gather(input, kHeader + sealed_size(held_)) ? std::span<const uint8_t>(held_)
                                                     : std::span<const uint8_t>();
}

// Until held_ has `size` bytes. False: it has not yet.
bool Records::gather(std::span<const uint8_t>& input, size_t size) {
  size_t count = std::min(size - std::min(size, held_.size()), input.size());
  held_.insert(held_.end(), input.begin(), input.begin() + static_cast<ptrdiff_t>(count));
  input = input.subspan(count);
  return held_.size() >= size;
}

// Looked at before anything is kept of a record.
bool Records::is_sound(std::span<const uint8_t> header, std::vector<uint8_t>& reply) {
  size_t size = sealed_size(header);
  if (header[0] != kApplicationData) {
    fail(kUnexpectedMessage, "a record of type " + std::to_string(header[0]), reply);
  } else if (size > kMostSealed) {
    fail(kRecordOverflow, "a record of " + std::to_string(size) + " bytes", reply);
  } else if (size <= Traffic::kTag) {
    fail(kBadRecordMac, "a record of " + std::to_string(size) + " bytes", reply);
  }
  return fault_.empty();
}

Records::Status Records::take(std::span<const uint8_t> record, std::span<uint8_t> room,
                              size_t& made, std::vector<uint8_t>& reply) {
  std::span<const uint8_t> sealed = record.subspan(kHeader);
  size_t size = sealed.size() - Traffic::kTag;
  bool has_room = size <= room.size();
  if (!has_room) plain_.resize(size);
  uint8_t* inner = has_room ? room.data() : plain_.data();
  if (!reading_.open(record.first(kHeader), sealed, inner)) {
    empty(plain_);
    return fail(kBadRecordMac, "decryption failed or bad record mac", reply);
  }
  while (size > 0 && inner[size - 1] == 0) size--;
  if (size == 0) return fail(kUnexpectedMessage, "a record without a type", reply);
  uint8_t type = inner[--size];
  if (size > kMostPlain)
    return fail(kRecordOverflow, "a record of " + std::to_string(size) + " bytes", reply);
  if (message_size_ > 0 && type != kHandshake)
    return fail(kUnexpectedMessage, "a message of the handshake is cut short", reply);
  silent_ = type == kApplicationData && size > 0 ? 0 : static_cast<uint8_t>(silent_ + 1);
  if (silent_ > kMostSilent)
    return fail(kUnexpectedMessage, "too many records without data", reply);
  if (type == kApplicationData) {
    if (!has_room) plain_.resize(size);
    made += has_room ? size : hand_out(room);
    return Status::kOk;
  }
  std::span<const uint8_t> content(inner, size);
  Status status = type == kAlert ? take_alert(content, reply)
                  : type == kHandshake
                      ? take_handshake(content, reply)
                      : fail(kUnexpectedMessage, "content of type " + std::to_string(type), reply);
  empty(plain_);
  return status;
}

Records::Status Records::take_alert(std::span<const uint8_t> content, std::vector<uint8_t>& reply) {
  if (content.size() != 2) return fail(kDecodeError, "an alert that is none", reply);
  // The level means nothing any more (section 6).
  uint8_t what = content[1];
  has_ended_ = what == kCloseNotify;
  if (what == kCloseNotify || what == kUserCanceled) return Status::kOk;
  fault_ = std::string("the peer's alert: ") + SSL_alert_desc_string_long(what);
  return Status::kError;
}

// After the handshake a client has nothing to say but that its keys change (section 4.6.3): nobody
// asks it for a certificate then.
Records::Status Records::take_handshake(std::span<const uint8_t> content,
                                        std::vector<uint8_t>& reply) {
  if (content.empty()) return fail(kUnexpectedMessage, "an empty part of a message", reply);
  size_t count = std::min(content.size(), kKeyUpdate - message_size_);
  std::memcpy(message_ + message_size_, content.data(), count);
  message_size_ = static_cast<uint8_t>(message_size_ + count);
  if (message_[0] != kKeyUpdateType)
    return fail(kUnexpectedMessage, "message " + std::to_string(message_[0]) + " of a handshake",
                reply);
  // Keys change at a record's end (section 5.1).
  if (count < content.size())
    return fail(kUnexpectedMessage, "bytes behind an update of keys", reply);
  if (message_size_ < kKeyUpdate) return Status::kOk;
  message_size_ = 0;
  if (message_[1] != 0 || message_[2] != 0 || message_[3] != 1)
    return fail(kDecodeError, "an update of keys that is none", reply);
  if (message_[4] > 1) return fail(kIllegalParameter, "an update of keys that is none", reply);
  // Ours have to change before more data is sent, once for all that the peer wants until then.
  must_renew_ |= message_[4] == 1;
  return reading_.renew() ? Status::kOk : fail(kInternalError, "keys cannot be made", reply);
}

// What of plain_ there is room for.
size_t Records::hand_out(std::span<uint8_t> room) {
  size_t count = std::min(room.size(), plain_.size() - plain_at_);
  if (count == 0) return 0;
  std::memcpy(room.data(), plain_.data() + plain_at_, count);
  plain_at_ += count;
  if (plain_at_ == plain_.size()) {
    empty(plain_);
    plain_at_ = 0;
  }
  return count;
}

void Records::empty(std::vector<uint8_t>& buffer) const {
  buffer.clear();
  if (!is_warm_) buffer.shrink_to_fit();
}

void Records::keep_warm(bool is_busy) {
  is_warm_ = is_busy;
  for (std::vector<uint8_t>* buffer : {&held_, &plain_})
    if (buffer->empty()) empty(*buffer);
}

Records::Status Records::encode(std::span<const uint8_t> plain, std::vector<uint8_t>& output) {
  bool is_due = must_renew_ || sending_.sequence() >= kMostOfKey;
  bool done = !is_due || renew_sending(output);
  for (size_t at = 0; done && at < plain.size(); at += kMostPlain)
    done =
        seal(kApplicationData, plain.subspan(at, std::min(kMostPlain, plain.size() - at)), output);
  if (!done) fault_ = "records cannot be sealed";
  return done ? Status::kOk : Status::kError;
}

void Records::end(std::vector<uint8_t>& output) {
  const uint8_t alert[] = {kWarning, kCloseNotify};
  seal(kAlert, alert, output);
}

bool Records::seal(uint8_t type, std::span<const uint8_t> content, std::vector<uint8_t>& output) {
  const size_t inner = content.size() + 1;
  const size_t sealed = inner + Traffic::kTag;
  // The version that middleboxes know (section 5.1).
  const uint8_t header[kHeader] = {kApplicationData, 3, 3, static_cast<uint8_t>(sealed >> 8),
                                   static_cast<uint8_t>(sealed)};
  output.insert(output.end(), header, header + kHeader);
  const size_t at = output.size();
  output.insert(output.end(), content.begin(), content.end());
  output.push_back(type);
  output.resize(at + sealed);
  std::span<uint8_t> place = std::span(output).subspan(at);
  return sending_.seal(header, place.first(inner), place.data() + inner);
}

bool Records::renew_sending(std::vector<uint8_t>& output) {
  const uint8_t update[kKeyUpdate] = {kKeyUpdateType, 0, 0, 1, 0};
  must_renew_ = false;
  return seal(kHandshake, update, output) && sending_.renew();
}

Records::Status Records::fail(uint8_t alert, std::string fault, std::vector<uint8_t>& reply) {
  fault_ = std::move(fault);
  const uint8_t content[] = {kFatal, alert};
  seal(kAlert, content, reply);
  return Status::kError;
}

}  // namespace gaidaros
