#include "context.h"

#include <algorithm>
#include <span>

#include "pipe.h"

namespace gaidaros {

namespace {

using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

Bio bio_of(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// Keys come without a passphrase: nobody is there to be asked for one.
int no_passphrase(char*, int, int, void*) { return -1; }

Certificate next_certificate(BIO* bio) {
  return Certificate(PEM_read_bio_X509(bio, nullptr, no_passphrase, nullptr));
}

bool use_chain(SSL_CTX* ctx, const std::string& pem) {
  Bio bio = bio_of(pem);
  if (!bio) return false;
  Certificate own = next_certificate(bio.get());
  if (!own || SSL_CTX_use_certificate(ctx, own.get()) != 1) return false;
  while (Certificate link = next_certificate(bio.get())) {
    if (SSL_CTX_add0_chain_cert(ctx, link.get()) != 1) return false;
    link.release();
  }
  // What ended it is the end of the text.
  ERR_clear_error();
  return true;
}

bool use_key(SSL_CTX* ctx, const std::string& pem) {
  Bio bio = bio_of(pem);
  if (!bio) return false;
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  return key && SSL_CTX_use_PrivateKey(ctx, key.get()) == 1 && SSL_CTX_check_private_key(ctx) == 1;
}

// Who may be without a certificate may be with a bad one, too: the handler is told.
int take_any(int, X509_STORE_CTX*) { return 1; }

}  // namespace

std::string TlsContext::last_error() {
  unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "unknown error" : reason;
}

TlsContext::TlsContext(const TlsSettings& settings)
    : tickets_(settings.ticket_secret), method_(make_pipe_method()) {
  for (const std::string& name : settings.alpn) {
    alpn_ += static_cast<char>(name.size());
    alpn_ += name;
  }
}

std::shared_ptr<TlsContext> TlsContext::make(const TlsSettings& settings, std::string& error) {
  std::shared_ptr<TlsContext> context(new TlsContext(settings));
  ERR_clear_error();
  bool done = context->method_ != nullptr && !settings.certificates.empty();
  for (const TlsSettings::Certificate& each : settings.certificates)
    done = done && context->add(settings, each);
  if (done) return context;
  error = last_error();
  ERR_clear_error();
  return nullptr;
}

bool TlsContext::add(const TlsSettings& settings, const TlsSettings::Certificate& certificate) {
  Ctx ctx(SSL_CTX_new(TLS_server_method()));
  if (!ctx || !configure(ctx.get(), settings) || !use_chain(ctx.get(), certificate.chain) ||
      !use_key(ctx.get(), certificate.key))
    return false;
  contexts_.push_back(std::move(ctx));
  return true;
}

bool TlsContext::configure(SSL_CTX* ctx, const TlsSettings& settings) {
  int lowest = settings.only_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
  if (SSL_CTX_set_min_proto_version(ctx, lowest) != 1 ||
      SSL_CTX_set_cipher_list(ctx, settings.ciphers.c_str()) != 1)
    return false;
  uint64_t options = SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION;
  if (settings.tickets == 0) options |= SSL_OP_NO_TICKET;
  SSL_CTX_set_options(ctx, options);
  // An idle connection keeps no buffers for records.
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
  // What is to be resumed is in the ticket, and nothing is kept here.
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ctx, settings.tickets);
  SSL_CTX_set_timeout(ctx, TicketKeys::kLifetime);
  SSL_CTX_set_app_data(ctx, this);
  SSL_CTX_set_msg_callback(ctx, heed_message);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, seal_ticket);
  SSL_CTX_set_tlsext_servername_callback(ctx, choose_certificate);
  SSL_CTX_set_tlsext_servername_arg(ctx, this);
  if (!alpn_.empty()) SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, this);
  return check_clients(ctx, settings);
}

// A session is resumed under the rules for clients that it was made under, and no others.
bool TlsContext::check_clients(SSL_CTX* ctx, const TlsSettings& settings) {
  std::string rules = std::to_string(static_cast<int>(settings.clients)) + settings.ca;
  uint8_t digest[EVP_MAX_MD_SIZE];
  if (EVP_Digest(rules.data(), rules.size(), digest, nullptr, EVP_sha256(), nullptr) != 1 ||
      SSL_CTX_set_session_id_context(ctx, digest, SSL_MAX_SID_CTX_LENGTH) != 1)
    return false;
  if (settings.clients == ClientCertificates::none) return true;
  bool is_required = settings.clients == ClientCertificates::required;
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (is_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     is_required ? nullptr : take_any);
  Bio bio = bio_of(settings.ca);
  if (!bio) return false;
  X509_STORE* store = SSL_CTX_get_cert_store(ctx);
  while (Certificate each = next_certificate(bio.get()))
    if (X509_STORE_add_cert(store, each.get()) != 1 || SSL_CTX_add_client_CA(ctx, each.get()) != 1)
      return false;
  ERR_clear_error();
  return true;
}

SSL* TlsContext::new_session(void* data, TrafficSecrets* secrets) {
  SSL* ssl = SSL_new(contexts_.front().get());
  BIO* bio = ssl == nullptr ? nullptr : BIO_new(method_.get());
  if (bio == nullptr) {
    SSL_free(ssl);
    return nullptr;
  }
  BIO_set_data(bio, data);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  SSL_set_app_data(ssl, secrets);
  SSL_set_accept_state(ssl);
  return ssl;
}

bool TlsContext::is_for(SSL_CTX* ctx, const char* name) const {
  X509* certificate = SSL_CTX_get0_certificate(ctx);
  return X509_check_host(certificate, name, 0, 0, nullptr) == 1;
}

int TlsContext::choose_certificate(SSL* ssl, int*, void* data) {
  auto* self = static_cast<TlsContext*>(data);
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr || self->contexts_.size() == 1) return SSL_TLSEXT_ERR_OK;
  auto found =
      std::find_if(self->contexts_.begin(), self->contexts_.end(),
                   [self, name](const Ctx& each) { return self->is_for(each.get(), name); });
  if (found != self->contexts_.end()) SSL_set_SSL_CTX(ssl, found->get());
  return SSL_TLSEXT_ERR_OK;
}

// Ours by our preference; without one in common there is nothing to be spoken (RFC 7301 section
// 3.2).
int TlsContext::choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                                const unsigned char* in, unsigned int in_size, void* data) {
  const std::string& ours = static_cast<TlsContext*>(data)->alpn_;
  unsigned char* chosen = nullptr;
  int result =
      SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned int>(ours.size()), in, in_size);
  *out = chosen;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// What OpenSSL logs of its keys it prints digit by digit, 10 us a handshake, and of five secrets
// two are wanted: each is told right behind a Finished, ours or the client's.
void TlsContext::heed_message(int, int version, int content, const void* bytes, size_t size,
                              SSL* ssl, void*) {
  bool is_finished = version == TLS1_3_VERSION && content == SSL3_RT_HANDSHAKE && size > 0 &&
                     *static_cast<const uint8_t*>(bytes) == SSL3_MT_FINISHED;
  if (is_finished) SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(ssl), tell_secret);
}

void TlsContext::tell_secret(const SSL* ssl, const char* line) {
  auto* secrets = static_cast<TrafficSecrets*>(SSL_get_app_data(ssl));
  if (secrets != nullptr && secrets->take(line))
    SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(ssl), nullptr);
}

int TlsContext::seal_ticket(SSL* ssl, unsigned char* name, unsigned char* iv,
                            EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int sealing) {
  auto* self = static_cast<TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  return sealing != 0 ? self->tickets_.seal(name, iv, cipher, mac)
                      : self->tickets_.open(name, iv, cipher, mac);
}

}  // namespace gaidaros
