// Fuzzer: records of TLS. The fuzzer's bytes are a client that has the keys and says anything with
// them: content of any type, padding, records that are not sealed; a model that takes one whole
// record at a time says what must become of it, however it is cut. What we send must open, too.
// units: native/tls/records.cc native/tls/traffic.cc
// libraries: -lssl -lcrypto
#include "tls/records.h"

#include "../sealing.h"
#include "fuzz.h"

namespace {

using gaidaros::Records;
using gaidaros::Traffic;
using gaidaros::TrafficSecrets;
using Status = gaidaros::Filter::Status;

// What the records so far must have become.
class Model {
 public:
  std::string plain;
  Status status = Status::kOk;
  bool has_renewed = false;  // the last record was an update of keys
  int renewals = 0;          // that were asked of us

  void take(const std::string& inner) {
    has_renewed = false;
    const size_t end = inner.find_last_not_of('\0');
    if (end == std::string::npos) return fail();
    const std::string content = inner.substr(0, end);
    const char type = inner[end];
    if (!message_.empty() && type != 22) return fail();
    silent_ = type == 23 && !content.empty() ? 0 : silent_ + 1;
    if (silent_ > 32) return fail();
    if (type == 23) {
      plain += content;
    } else if (type == 21) {
      if (content.size() != 2) return fail();
      if (content[1] == 0) status = Status::kEnd;
      if (content[1] != 0 && content[1] != 90) fail();
    } else if (type == 22) {
      take_message(content);
    } else {
      fail();
    }
  }
  void fail() { status = Status::kError; }

 private:
  void take_message(const std::string& content) {
    message_ += content;
    const std::string begin("\x18\0\0\x01", 4);
    if (content.empty() || message_[0] != begin[0] || message_.size() > 5) return fail();
    if (message_.size() < 5) return;
    if (message_.substr(0, 4) != begin || (message_[4] & ~1) != 0) return fail();
    has_renewed = true;
    renewals += message_[4];
    message_.clear();
  }

  std::string message_;
  int silent_ = 0;
};

std::string content_of(fuzz::Choices& choices) {
  constexpr char kTypes[] = {23, 23, 23, 22, 22, 21, 20, 0};
  const uint8_t kind = choices.byte();
  const uint8_t padding = choices.byte() % 20;
  const std::string tail = std::string(1, kTypes[kind % 8]) + std::string(padding, '\0');
  if ((kind & 8) != 0) return std::string("\x18\0\0\x01", 4) + char(kind >> 4 & 3) + tail;
  if ((kind & 16) != 0) return std::string(choices.u32() % 16600, 'm') + tail;
  return choices.text(choices.byte() % 8) + tail;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Choices choices(data, size);
  const uint16_t suite = static_cast<uint16_t>(0x1301 + choices.byte() % 3);
  const size_t step = 1 + choices.byte() * (choices.flag() ? 100u : 1u);
  const size_t room = 1 + choices.byte() * (choices.flag() ? 100u : 1u);
  TrafficSecrets secrets;
  secrets.client[0] = choices.byte();
  auto records = Records::make(suite, secrets, 0);
  Traffic client, server;
  fuzz::same(records && client.start(suite, Traffic::Use::seal, secrets.client) &&
                 server.start(suite, Traffic::Use::open, secrets.server),
             "keys", 0);
  Model model;
  std::string wire;
  for (int i = 0; i < 40 && model.status == Status::kOk; i++) {
    const uint8_t kind = choices.byte();
    if (kind == 0) break;
    const std::string inner = content_of(choices);
    std::string record = test::seal(client, inner);
    if (kind < 8) {
      // Touched anywhere but in its length, which would be waited for, or its version.
      const size_t at = choices.u32() % (record.size() - 4);
      record[at == 0 ? 0 : at + 4] ^= static_cast<char>(kind);
      model.fail();
    } else if (inner.size() > 16384 + 240 || inner.find_last_not_of('\0') + 1 > 16385) {
      model.fail();
    } else {
      model.take(inner);
    }
    wire += record;
    if (model.has_renewed && model.status == Status::kOk) client.renew();
  }
  if (choices.flag()) records->keep_warm(true);
  test::Taken taken;
  test::decode_all(*records, wire, step, room, taken);
  fuzz::same(taken.plain == model.plain, "plain text", wire.size());
  fuzz::same(taken.status == model.status, "how it ended", wire.size());
  std::vector<uint8_t> output = taken.reply;
  if (model.status == Status::kError) {
    // The last word is an alert, or nothing if it was the peer's.
    const auto said = test::open_all(server, {output.begin(), output.end()});
    fuzz::same(said.size() <= 1 && (said.empty() || (said[0].size() == 3 && said[0][2] == 21)),
               "the alert", wire.size());
    return 0;
  }
  const std::string answer = model.plain.substr(0, 70000);
  fuzz::same(records->encode(test::bytes_of(answer), output) == Status::kOk, "sealing", 0);
  records->end(output);
  std::string heard;
  auto said = test::open_all(server, {output.begin(), output.end()});
  if (model.renewals > 0) said.erase(said.begin());
  for (const std::string& content : said)
    if (content.back() == 23) heard += content.substr(0, content.size() - 1);
  fuzz::same(heard == answer, "what was answered", answer.size());
  return 0;
}
