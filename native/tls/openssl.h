// OpenSSL as the node binary exports it. A binary that does not must still load the addon, so every
// function is weak: where one is absent TLS is refused (tls_refusal()) and nothing here is called.
#pragma once

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/opensslv.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// Every function that native/tls/ uses.
#define GAIDAROS_OPENSSL(X)               \
  X(BIO_clear_flags)                      \
  X(BIO_free)                             \
  X(BIO_get_data)                         \
  X(BIO_meth_free)                        \
  X(BIO_meth_new)                         \
  X(BIO_meth_set_ctrl)                    \
  X(BIO_meth_set_read)                    \
  X(BIO_meth_set_write)                   \
  X(BIO_new)                              \
  X(BIO_new_mem_buf)                      \
  X(BIO_set_data)                         \
  X(BIO_set_flags)                        \
  X(BIO_set_init)                         \
  X(CRYPTO_free)                          \
  X(ERR_clear_error)                      \
  X(ERR_peek_error)                       \
  X(ERR_peek_last_error)                  \
  X(ERR_reason_error_string)              \
  X(EVP_DecryptInit_ex)                   \
  X(EVP_Digest)                           \
  X(EVP_EncryptInit_ex)                   \
  X(EVP_MAC_CTX_set_params)               \
  X(EVP_PKEY_free)                        \
  X(EVP_aes_256_cbc)                      \
  X(EVP_sha256)                           \
  X(EVP_sha512)                           \
  X(HMAC)                                 \
  X(OSSL_PARAM_construct_end)             \
  X(OSSL_PARAM_construct_octet_string)    \
  X(OSSL_PARAM_construct_utf8_string)     \
  X(OpenSSL_version_num)                  \
  X(PEM_read_bio_PrivateKey)              \
  X(PEM_read_bio_X509)                    \
  X(RAND_bytes)                           \
  X(SSL_CIPHER_get_name)                  \
  X(SSL_CTX_add_client_CA)                \
  X(SSL_CTX_callback_ctrl)                \
  X(SSL_CTX_check_private_key)            \
  X(SSL_CTX_ctrl)                         \
  X(SSL_CTX_free)                         \
  X(SSL_CTX_get0_certificate)             \
  X(SSL_CTX_get_cert_store)               \
  X(SSL_CTX_get_ex_data)                  \
  X(SSL_CTX_new)                          \
  X(SSL_CTX_set_alpn_select_cb)           \
  X(SSL_CTX_set_cipher_list)              \
  X(SSL_CTX_set_ex_data)                  \
  X(SSL_CTX_set_num_tickets)              \
  X(SSL_CTX_set_options)                  \
  X(SSL_CTX_set_session_id_context)       \
  X(SSL_CTX_set_timeout)                  \
  X(SSL_CTX_set_tlsext_ticket_key_evp_cb) \
  X(SSL_CTX_set_verify)                   \
  X(SSL_CTX_use_PrivateKey)               \
  X(SSL_CTX_use_certificate)              \
  X(SSL_ctrl)                             \
  X(SSL_free)                             \
  X(SSL_free_buffers)                     \
  X(SSL_get0_alpn_selected)               \
  X(SSL_get0_peer_certificate)            \
  X(SSL_get_SSL_CTX)                      \
  X(SSL_get_current_cipher)               \
  X(SSL_get_error)                        \
  X(SSL_get_servername)                   \
  X(SSL_get_shutdown)                     \
  X(SSL_get_verify_result)                \
  X(SSL_get_version)                      \
  X(SSL_is_init_finished)                 \
  X(SSL_new)                              \
  X(SSL_pending)                          \
  X(SSL_read_ex)                          \
  X(SSL_select_next_proto)                \
  X(SSL_session_reused)                   \
  X(SSL_set_SSL_CTX)                      \
  X(SSL_set_accept_state)                 \
  X(SSL_set_bio)                          \
  X(SSL_shutdown)                         \
  X(SSL_write_ex)                         \
  X(TLS_server_method)                    \
  X(X509_STORE_add_cert)                  \
  X(X509_check_host)                      \
  X(X509_free)                            \
  X(X509_verify_cert_error_string)        \
  X(i2d_X509)

#define GAIDAROS_PRAGMA(text) _Pragma(#text)
#define X(name) GAIDAROS_PRAGMA(weak name)
GAIDAROS_OPENSSL(X)
#undef X
