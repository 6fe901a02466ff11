// TLS: the filter against a client of OpenSSL, and records that no such client sends.
#include <openssl/ec.h>

#include <algorithm>
#include <string>
#include <vector>

#include "conn/filter.h"
#include "core/stats.h"
#include "harness.h"
#include "sealing.h"
#include "spec.h"
#include "tls/filter.h"
#include "tls/records.h"

namespace {

using namespace gaidaros;
using Status = Filter::Status;
using std::string_literals::operator""s;
using test::bytes_of;
using test::kAes128;
using test::Taken;

std::string text_of(BIO* bio) {
  char* data = nullptr;
  long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

TlsSettings self_signed() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());
  BIO* chain = BIO_new(BIO_s_mem());
  BIO* secret = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(chain, certificate);
  PEM_write_bio_PrivateKey(secret, key, nullptr, nullptr, 0, nullptr, nullptr);
  TlsSettings settings;
  settings.certificates.push_back({text_of(chain), text_of(secret)});
  settings.ciphers = "ECDHE+AESGCM";
  settings.ticket_secret = std::string(32, 's');
  BIO_free(chain);
  BIO_free(secret);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return settings;
}

const TlsSettings& settings() {
  static const TlsSettings made = self_signed();
  return made;
}

// How bytes get from the client to the filter.
struct Cuts {
  size_t step = SIZE_MAX / 2;
  size_t room = 65536;
};

// A filter and its client, with nothing but memory between them.
class Pair {
 public:
  explicit Pair(const TlsSettings& of = settings(), Cuts cuts = {}) : cuts_(cuts) {
    std::string error;
    filter = make_tls_filter(make_tls_context(of, error));
    CHECK_EQ(error, "");
    ctx_ = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_keylog_callback(ctx_, [](const SSL* ssl, const char* line) {
      static_cast<Pair*>(SSL_get_app_data(ssl))->secrets.take(line);
    });
    client = SSL_new(ctx_);
    SSL_set_app_data(client, this);
    SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(client);
  }
  ~Pair() {
    SSL_free(client);
    SSL_CTX_free(ctx_);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  Pair& connect() {
    for (int i = 0; i < 10 && (!SSL_is_init_finished(client) || filter->is_opening()); i++) {
      SSL_do_handshake(client);
      pass();
    }
    CHECK(SSL_is_init_finished(client));
    CHECK(!filter->is_opening());
    return *this;
  }

  // What the client has written, taken away.
  std::string sent() {
    std::string wire = text_of(SSL_get_wbio(client));
    BIO_reset(SSL_get_wbio(client));
    return wire;
  }
  void feed(const std::string& wire) {
    test::decode_all(*filter, wire, cuts_.step, cuts_.room, taken);
    give(taken.reply);
    taken.reply.clear();
  }
  void pass() { feed(sent()); }
  void give(const std::vector<uint8_t>& output) {
    if (!output.empty())
      BIO_write(SSL_get_rbio(client), output.data(), static_cast<int>(output.size()));
  }
  void say(const std::string& text) {
    if (!text.empty()) {
      CHECK_EQ(SSL_write(client, text.data(), static_cast<int>(text.size())), text.size());
    }
    pass();
  }
  void answer(const std::string& text) {
    std::vector<uint8_t> output;
    CHECK_EQ(filter->encode(bytes_of(text), true, output), Status::kOk);
    give(output);
  }
  // All that the client can read now; why it can read no more is in SSL_get_error().
  std::string heard() {
    std::string text;
    char block[20000];
    for (;;) {
      int count = last = SSL_read(client, block, sizeof block);
      if (count <= 0) return text;
      text.append(block, static_cast<size_t>(count));
    }
  }
  // What the client's last read failed with, in words.
  std::string failure() {
    unsigned long code = SSL_get_error(client, last) == SSL_ERROR_SSL ? ERR_get_error() : 0;
    ERR_clear_error();
    return code == 0 ? "" : ERR_reason_error_string(code);
  }
  void echo(const std::string& text) {
    taken.plain.clear();
    say(text);
    CHECK(taken.plain == text);
    answer(text);
    CHECK(heard() == text);
  }

  std::unique_ptr<Filter> filter;
  SSL* client = nullptr;
  Taken taken;
  TrafficSecrets secrets;
  int last = 0;

 private:
  Cuts cuts_;
  SSL_CTX* ctx_ = nullptr;
};

std::string some(size_t size) {
  std::string text(size, 'a');
  for (size_t i = 0; i < size; i++) text[i] = static_cast<char>(i * 31 + i / 256);
  return text;
}

std::string name_of(const Filter& filter, TlsFact fact) {
  std::vector<uint8_t> facts;
  filter.describe(facts);
  for (size_t at = 0; at < facts.size();) {
    size_t size = static_cast<size_t>(facts[at + 1] << 8 | facts[at + 2]);
    if (facts[at] == static_cast<uint8_t>(fact))
      return {facts.begin() + static_cast<ptrdiff_t>(at) + 3,
              facts.begin() + static_cast<ptrdiff_t>(at + 3 + size)};
    at += 3 + size;
  }
  return "";
}

TEST_CASE("TLS: every suite, whatever the sizes and the cuts") {
  const char* suites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                          "TLS_CHACHA20_POLY1305_SHA256"};
  const Cuts cuts[] = {{}, {1, 65536}, {7, 1}, {1000, 100}, {20000, 16385}, {16384, 4096}};
  for (const char* suite : suites) {
    for (const Cuts& cut : cuts) {
      Pair pair(settings(), cut);
      SSL_set_ciphersuites(pair.client, suite);
      pair.connect();
      CHECK_EQ(name_of(*pair.filter, TlsFact::cipher), suite);
      CHECK_EQ(name_of(*pair.filter, TlsFact::protocol), "TLSv1.3");
      for (size_t size : {1, 2, 15, 16, 17, 64, 16383, 16384, 16385, 50000}) pair.echo(some(size));
    }
  }
}

TEST_CASE("TLS: what no records are made for goes on with OpenSSL") {
  Pair old;
  SSL_set_max_proto_version(old.client, TLS1_2_VERSION);
  old.connect();
  CHECK_EQ(name_of(*old.filter, TlsFact::protocol), "TLSv1.2");
  for (size_t size : {1, 16384, 50000}) old.echo(some(size));
  Pair small(settings(), {3, 50});
  SSL_set_tlsext_max_fragment_length(small.client, TLSEXT_max_fragment_length_512);
  small.connect();
  small.echo(some(5000));
  std::vector<uint8_t> output;
  small.filter->encode(bytes_of(some(5000)), true, output);
  CHECK_EQ(output[3] << 8 | output[4], 512 + 1 + 16);
  small.give(output);
  CHECK_EQ(small.heard().size(), 5000);
  CHECK_EQ(SSL_key_update(small.client, SSL_KEY_UPDATE_REQUESTED), 1);
  small.echo("after it\n");
}

TEST_CASE("TLS: any number of tickets, and sessions that are resumed with them") {
  for (uint32_t tickets : {0u, 1u, 2u, 5u}) {
    TlsSettings with = settings();
    with.tickets = tickets;
    Pair first(with);
    first.connect().echo("hello\n");
    SSL_SESSION* session = SSL_get1_session(first.client);
    CHECK_EQ(SSL_SESSION_is_resumable(session), tickets > 0 ? 1 : 0);
    Pair second(with);
    SSL_set_session(second.client, session);
    second.connect().echo("again\n");
    CHECK_EQ(SSL_session_reused(second.client), tickets > 0 ? 1 : 0);
    Counters counters;
    second.filter->count(counters);
    CHECK_EQ(counters.tls_handshakes, 1);
    CHECK_EQ(counters.tls_resumed, tickets > 0 ? 1 : 0);
    SSL_SESSION_free(session);
  }
}

TEST_CASE("TLS: what is answered during the handshake leaves at its end, with its first request") {
  Pair pair;
  std::vector<uint8_t> output;
  CHECK_EQ(pair.filter->encode(bytes_of("early\n"s), true, output), Status::kOk);
  CHECK(output.empty());
  SSL_do_handshake(pair.client);
  pair.pass();
  SSL_do_handshake(pair.client);
  pair.say("with the last message of the handshake\n");
  CHECK_EQ(pair.taken.plain, "with the last message of the handshake\n");
  CHECK_EQ(pair.heard(), "early\n");
}

TEST_CASE("TLS: keys that change") {
  for (Cuts cut : {Cuts{}, Cuts{1, 3}}) {
    Pair pair(settings(), cut);
    pair.connect();
    for (int kind : {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED}) {
      for (int i = 0; i < 3; i++) {
        CHECK_EQ(SSL_key_update(pair.client, kind), 1);
        pair.echo(some(20000));
      }
    }
    // Several that want ours before we have said anything: one answer does for all.
    for (int i = 0; i < 3; i++) {
      CHECK_EQ(SSL_key_update(pair.client, SSL_KEY_UPDATE_REQUESTED), 1);
      CHECK_EQ(SSL_do_handshake(pair.client), 1);
      pair.pass();
    }
    pair.echo("after them\n");
  }
}

TEST_CASE("TLS: our keys change when one is used up") {
  TrafficSecrets secrets;
  constexpr uint64_t kMost = uint64_t{1} << 24;
  auto records = Records::make(kAes128, secrets, kMost - 1);
  Traffic client;
  CHECK(client.start(kAes128, Traffic::Use::open, secrets.server));
  client.skip(kMost - 1);
  std::vector<uint8_t> output;
  for (const char* text : {"a", "b", "c"}) records->encode(bytes_of(std::string(text)), output);
  const std::vector<std::string> wanted = {"a\x17", "\x18\0\0\x01\0\x16"s, "b\x17", "c\x17"};
  CHECK(test::open_all(client, {output.begin(), output.end()}) == wanted);
}

TEST_CASE("TLS: padding") {
  Pair pair(settings(), {100, 10});
  SSL_set_block_padding(pair.client, 512);
  pair.connect();
  for (size_t size : {1, 511, 512, 16384, 20000}) pair.echo(some(size));
}

TEST_CASE("TLS: a record that was touched, cut, repeated or left out ends it") {
  const std::string text = "GET /\n";
  const size_t size = text.size() + 5 + 1 + 16;
  for (size_t at = 0; at < size; at++) {
    if (at == 1 || at == 2) continue;  // the version means nothing (RFC 8446 section 5.1)
    Pair pair;
    pair.connect();
    SSL_write(pair.client, text.data(), static_cast<int>(text.size()));
    std::string wire = pair.sent();
    CHECK_EQ(wire.size(), size);
    wire[at] = static_cast<char>(wire[at] ^ 1);
    pair.feed(wire);
    // Longer than it is, it is still on its way.
    bool is_longer = at == 3 || (at == 4 && (wire[4] & 1) != 0);
    if (is_longer) pair.feed(std::string(300, 'x'));
    CHECK_EQ(pair.taken.status, Status::kError);
    CHECK_EQ(pair.taken.plain, "");
    CHECK_EQ(pair.filter->reason(), Reason::tls_error);
    CHECK_EQ(pair.heard(), "");
    CHECK_EQ(pair.failure(),
             at == 0 ? "sslv3 alert unexpected message" : "sslv3 alert bad record mac");
    std::vector<uint8_t> output;
    CHECK_EQ(pair.filter->encode(bytes_of(text), true, output), Status::kError);
    CHECK(output.empty());
  }
  Pair twice;
  twice.connect();
  SSL_write(twice.client, text.data(), static_cast<int>(text.size()));
  const std::string wire = twice.sent();
  twice.feed(wire + wire);
  CHECK_EQ(twice.taken.status, Status::kError);
  CHECK_EQ(twice.taken.plain, text);
  CHECK_EQ(twice.filter->fault(), "decryption failed or bad record mac");
  Pair without;
  without.connect();
  for (int i = 0; i < 2; i++) {
    without.sent();
    SSL_write(without.client, text.data(), static_cast<int>(text.size()));
  }
  without.pass();
  CHECK_EQ(without.taken.status, Status::kError);
}

TEST_CASE("TLS: either side ends the stream") {
  std::vector<uint8_t> plain;
  Pair pair;
  pair.connect();
  SSL_write(pair.client, "last\n", 5);
  SSL_shutdown(pair.client);
  pair.feed(pair.sent() + "what is behind the end");
  CHECK_EQ(pair.taken.plain, "last\n");
  CHECK_EQ(pair.taken.status, Status::kEnd);
  CHECK_EQ(pair.filter->finish(plain), Status::kOk);
  // It may still be answered.
  pair.answer("answer\n");
  CHECK_EQ(pair.heard(), "answer\n");
  std::vector<uint8_t> output;
  pair.filter->end(output);
  pair.give(output);
  CHECK_EQ(pair.heard(), "");
  CHECK_EQ(SSL_get_error(pair.client, pair.last), SSL_ERROR_ZERO_RETURN);

  Pair cut;
  cut.connect().echo("hello\n");
  CHECK_EQ(cut.filter->finish(plain), Status::kError);
  CHECK_EQ(cut.filter->reason(), Reason::tls_truncated);
}

TEST_CASE("TLS: the peer's alert is told in words") {
  Pair pair;
  pair.connect();
  const std::string garbage = test::header_of(40) + std::string(40, 'x');
  pair.give({garbage.begin(), garbage.end()});
  pair.heard();
  pair.pass();
  CHECK_EQ(pair.taken.status, Status::kError);
  CHECK_EQ(pair.filter->fault(), "the peer's alert: bad record mac");
  ERR_clear_error();
}

// A filter behind a handshake, and the keys of its client, which has said nothing yet.
struct Forged {
  Forged() {
    SSL_set_ciphersuites(pair.client, "TLS_AES_128_GCM_SHA256");
    pair.connect();
    CHECK(traffic.start(kAes128, Traffic::Use::seal, pair.secrets.client));
  }
  Forged& send(const std::string& inner) {
    pair.feed(test::seal(traffic, inner));
    return *this;
  }
  Pair pair;
  Traffic traffic;
};

TEST_CASE("TLS: records that no client sends are refused, with the alert that is due") {
  struct Wrong {
    std::string inner, fault, alert;
  };
  const Wrong wrong[] = {
      {"\0\0\0"s, "a record without a type", "unexpected message"},
      {"x\x14", "content of type 20", "unexpected message"},
      {"\x16", "an empty part of a message", "unexpected message"},
      {"\x04\0\0\0\x16"s, "message 4 of a handshake", "unexpected message"},
      {"\x18\0\0\x01\0\x18\x16"s, "bytes behind an update of keys", "unexpected message"},
      {"\x18\0\0\x02\0\x16"s, "an update of keys that is none", "decode error"},
      {"\x18\0\0\x01\x02\x16"s, "an update of keys that is none", "illegal parameter"},
      {"\x15", "an alert that is none", "decode error"},
      {"\x01\0\0\x15"s, "an alert that is none", "decode error"},
      {some(16385) + "\x17", "a record of 16385 bytes", "record overflow"},
  };
  for (const Wrong& each : wrong) {
    Forged forged;
    forged.send("fine\n\x17").send(each.inner);
    CHECK_EQ(forged.pair.taken.status, Status::kError);
    CHECK_EQ(forged.pair.taken.plain, "fine\n");
    CHECK_EQ(forged.pair.filter->fault(), each.fault);
    CHECK_EQ(forged.pair.heard(), "");
    const std::string failure = forged.pair.failure();
    CHECK_EQ(failure.substr(failure.find("alert ") + 6), each.alert);
  }
}

TEST_CASE("TLS: a message of the handshake in parts, and what may not stand between them") {
  Forged parts;
  parts.send("\x18\x16").send("\0\0\x16"s).send("\x01\x01\x16");
  CHECK_EQ(parts.pair.taken.status, Status::kOk);
  CHECK(parts.traffic.renew());
  parts.send("after it\x17\0\0\0"s);
  CHECK_EQ(parts.pair.taken.plain, "after it");
  parts.pair.answer("under new keys\n");
  CHECK_EQ(parts.pair.heard(), "under new keys\n");
  Forged between;
  between.send("\x18\x16").send("x\x17");
  CHECK_EQ(between.pair.filter->fault(), "a message of the handshake is cut short");
}

TEST_CASE("TLS: records without data are taken for a while") {
  Forged patient;
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 32; i++) patient.send(i % 2 == 0 ? "\x17" : "\x01\x5a\x15");
    patient.send("x\x17");
  }
  CHECK_EQ(patient.pair.taken.plain, "xxx");
  CHECK_EQ(patient.pair.taken.status, Status::kOk);
  for (int i = 0; i < 33; i++) patient.send("\x17\0\0"s);
  CHECK_EQ(patient.pair.filter->fault(), "too many records without data");
}

TEST_CASE("TLS: a header that promises too much is not waited for") {
  for (const std::string& header :
       {test::header_of(16384 + 257), test::header_of(65535), test::header_of(16),
        test::header_of(0), test::header_of(40, 20), "GET /"s}) {
    for (size_t step : {1, 5}) {
      Pair pair(settings(), {step, 10});
      pair.connect().feed(header);
      CHECK_EQ(pair.taken.status, Status::kError);
    }
  }
}

TEST_CASE("TLS: buffers of busy connections are kept, and given back") {
  Pair pair(settings(), {1000, 100});
  pair.connect();
  for (bool is_busy : {true, false, true}) {
    pair.filter->keep_warm(is_busy);
    for (size_t size : {100, 20000}) pair.echo(some(size));
  }
}

}  // namespace
