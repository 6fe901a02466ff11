// The records of a TLS 1.3 connection after its handshake (RFC 8446 sections 4.6.3, 5 and 6), read
// where they were received and written where they are sent from. A session of OpenSSL does the same
// at twice the time and five times the memory; it is needed for the handshake only.
#pragma once

#include <memory>
#include <string>

#include "../conn/filter.h"
#include "traffic.h"

namespace gaidaros {

class Records {
 public:
  using Status = Filter::Status;

  // How many of the records in `wire`, which are whole, are encrypted (RFC 8446 section 5.2).
  static uint64_t count(std::span<const uint8_t> wire);

  // `sent`: records that the handshake has sent under the server's secret already. Null: a suite
  // that is not known here, or out of memory.
  static std::unique_ptr<Records> make(uint16_t suite, const TrafficSecrets& secrets,
                                       uint64_t sent);

  // As Filter has them. After kError the connection is of no more use.
  Filter::Step decode(std::span<const uint8_t> input, std::span<uint8_t> room,
                      std::vector<uint8_t>& reply);
  Status encode(std::span<const uint8_t> plain, std::vector<uint8_t>& output);
  void end(std::vector<uint8_t>& output);
  void keep_warm(bool is_busy);

  // The peer has said close_notify.
  bool has_ended() const { return has_ended_; }
  // What went wrong.
  const std::string& fault() const { return fault_; }

 private:
  static constexpr size_t kHeader = 5;
  static constexpr size_t kKeyUpdate = 5;

  std::span<const uint8_t> next(std::span<const uint8_t>& input, std::vector<uint8_t>& reply);
  bool gather(std::span<const uint8_t>& input, size_t size);
  bool is_sound(std::span<const uint8_t> header, std::vector<uint8_t>& reply);
  Status take(std::span<const uint8_t> record, std::span<uint8_t> room, size_t& made,
              std::vector<uint8_t>& reply);
  Status take_alert(std::span<const uint8_t> content, std::vector<uint8_t>& reply);
  Status take_handshake(std::span<const uint8_t> content, std::vector<uint8_t>& reply);
  size_t hand_out(std::span<uint8_t> room);
  void empty(std::vector<uint8_t>& buffer) const;
  bool seal(uint8_t type, std::span<const uint8_t> content, std::vector<uint8_t>& output);
  bool renew_sending(std::vector<uint8_t>& output);
  Status fail(uint8_t alert, std::string fault, std::vector<uint8_t>& reply);

  Traffic reading_;
  Traffic sending_;
  std::vector<uint8_t> held_;   // the first part of a record
  std::vector<uint8_t> plain_;  // of a record that had no room, from plain_at_ on
  size_t plain_at_ = 0;
  std::string fault_;
  uint8_t message_[kKeyUpdate] = {};  // the first part of one
  uint8_t message_size_ = 0;
  uint8_t silent_ = 0;  // records in a row without data
  bool has_ended_ = false;
  bool must_renew_ = false;  // the peer wants new keys of us, too
  bool is_warm_ = false;
};

}  // namespace gaidaros
