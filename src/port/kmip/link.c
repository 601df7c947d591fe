/* SPDX-License-Identifier: MIT */
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* ---- a socket below OpenSSL that raises no signal --------------------------------------------*/

static bool is_later(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static int socket_of(BIO *bio)
{
    return ((const struct link *)BIO_get_data(bio))->fd;
}

/* KM-7: OpenSSL's own sockets write without MSG_NOSIGNAL. */
static int bio_write(BIO *bio, const char *bytes, int n)
{
    ssize_t done = send(socket_of(bio), bytes, (size_t)n, MSG_NOSIGNAL);

    BIO_clear_retry_flags(bio);
    if (done < 0 && is_later())
        BIO_set_retry_write(bio);
    return (int)done;
}

static int bio_read(BIO *bio, char *bytes, int n)
{
    ssize_t done = recv(socket_of(bio), bytes, (size_t)n, 0);

    BIO_clear_retry_flags(bio);
    if (done < 0 && is_later())
        BIO_set_retry_read(bio);
    return (int)done;
}

static long bio_control(BIO *bio, int command, long n, void *pointer)
{
    (void)bio, (void)n, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

/* ---- once ------------------------------------------------------------------------------------*/

static bool has_files(SSL_CTX *context, const char *ca, const char *certificate, const char *key)
{
    return SSL_CTX_load_verify_locations(context, ca, NULL) == 1 &&
           (!certificate || (SSL_CTX_use_certificate_chain_file(context, certificate) == 1 &&
                             SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1 &&
                             SSL_CTX_check_private_key(context) == 1));
}

/* KM-7: the two dear parts of a handshake, verifying and signing, have a poll of their own. */
static int verify(X509_STORE_CTX *store, void *argument)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct link *link = SSL_get_app_data(ssl);

    (void)argument;
    if (link->verified == 0 && SSL_set_retry_verify(ssl) == 1) {
        link->verified = 1;
        return 1; /* comes back; shake() looks whether it did */
    }
    if (X509_verify_cert(store) != 1)
        return 0;
    link->verified = 2;
    return 1;
}

static int before_signing(SSL *ssl, void *argument)
{
    struct link *link = SSL_get_app_data(ssl);

    (void)argument;
    return link->signing++ == 0 ? -1 : 1;
}

/* KM-1 */
enum svmc_status svmc_kmip_link_init(struct link *link, const char *ca, const char *certificate,
                                     const char *key)
{
    link->fd = -1;
    link->context = SSL_CTX_new(TLS_client_method());
    link->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "svmcore");
    if (!link->context || !link->method ||
        SSL_CTX_set_min_proto_version(link->context, TLS1_2_VERSION) != 1 ||
        BIO_meth_set_write(link->method, bio_write) != 1 ||
        BIO_meth_set_read(link->method, bio_read) != 1 ||
        BIO_meth_set_ctrl(link->method, bio_control) != 1 ||
        BIO_meth_set_create(link->method, bio_create) != 1)
        return SVMC_ERR_FULL;
    SSL_CTX_set_verify(link->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(link->context, verify, NULL);
    SSL_CTX_set_cert_cb(link->context, before_signing, NULL);
    SSL_CTX_set_session_cache_mode(link->context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(link->context, SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_RENEGOTIATION |
                                           SSL_OP_NO_COMPRESSION); /* KM-8 */
    SSL_CTX_set_mode(link->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
    /* KM-7: a server that sends tickets without end has a poll for each */
    (void)SSL_CTX_clear_mode(link->context, SSL_MODE_AUTO_RETRY);
    ERR_clear_error();
    if (!has_files(link->context, ca, certificate, key)) {
        ERR_clear_error();
        return SVMC_ERR_FORMAT;
    }
    return SVMC_OK;
}

void svmc_kmip_link_free(struct link *link)
{
    svmc_kmip_link_close(link);
    SSL_SESSION_free(link->session);
    SSL_CTX_free(link->context);
    BIO_meth_free(link->method);
}

/* KM-8 */
void svmc_kmip_link_wipe(struct link *link)
{
    OPENSSL_cleanse(link->in, sizeof link->in);
    link->in_bytes = link->in_want = 0;
}

/* KM-6 */
void svmc_kmip_link_close(struct link *link)
{
    if (link->ssl && link->used) {
        SSL_SESSION_free(link->session);
        link->session = SSL_get1_session(link->ssl);
        SSL_set_shutdown(link->ssl, SSL_SENT_SHUTDOWN); /* or it could not be taken up again */
    }
    SSL_free(link->ssl);
    if (link->fd >= 0)
        close(link->fd);
    svmc_kmip_link_wipe(link);
    ERR_clear_error();
    link->ssl = NULL;
    link->fd = -1;
    link->events = 0;
    link->phase = LINK_CLOSED;
    link->used = link->verified = link->signing = 0;
}

/* ---- why there is no session -----------------------------------------------------------------*/

/* KM-5: what we find wrong in their certificate. */
static enum svmc_fetch_reason peer_fault(const SSL *ssl)
{
    long result = SSL_get_verify_result(ssl);

    return result == X509_V_OK ? SVMC_FETCH_NONE
           : result == X509_V_ERR_CERT_HAS_EXPIRED || result == X509_V_ERR_CERT_NOT_YET_VALID
               ? SVMC_FETCH_PEER_EXPIRED
               : SVMC_FETCH_PEER;
}

/* KM-5: what they find wrong in ours: their alert. In TLS 1.3 it comes after the handshake. */
static enum svmc_fetch_reason own_fault(const SSL *ssl)
{
    switch (ERR_GET_REASON(ERR_peek_error())) {
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        return SVMC_FETCH_OWN_EXPIRED;
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return SVMC_FETCH_OWN_MISSING;
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        return SSL_get_certificate(ssl) ? SVMC_FETCH_TLS : SVMC_FETCH_OWN_MISSING;
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
        return SVMC_FETCH_OWN_REFUSED;
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return SVMC_FETCH_RESET;
    default:
        return SVMC_FETCH_TLS;
    }
}

/* What a call of OpenSSL that did not succeed means. */
static enum svmc_fetch_reason verdict(struct link *link, int result)
{
    enum svmc_fetch_reason reason;

    switch (SSL_get_error(link->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        link->events = POLLIN;
        return SVMC_FETCH_PENDING;
    case SSL_ERROR_WANT_WRITE:
        link->events = POLLOUT;
        return SVMC_FETCH_PENDING;
    case SSL_ERROR_WANT_RETRY_VERIFY:
    case SSL_ERROR_WANT_X509_LOOKUP:
        link->events = POLLOUT; /* at once */
        return SVMC_FETCH_PENDING;
    case SSL_ERROR_ZERO_RETURN: /* they have ended it as one should */
        return link->in_bytes != 0 ? SVMC_FETCH_CUT : SVMC_FETCH_RESET;
    case SSL_ERROR_SSL:
        reason = peer_fault(link->ssl);
        return reason != SVMC_FETCH_NONE ? reason : own_fault(link->ssl);
    default:
        return SVMC_FETCH_RESET;
    }
}

/* ---- the way of a question -------------------------------------------------------------------*/

static enum svmc_fetch_reason start(struct link *link)
{
    const int on = 1;
    int flags;

    link->connections++;
    link->fd = socket(link->address.ss_family, SOCK_STREAM, 0);
    if (link->fd < 0)
        return SVMC_FETCH_UNREACHABLE;
    flags = fcntl(link->fd, F_GETFL);
    if (flags < 0 || fcntl(link->fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(link->fd, F_SETFD, FD_CLOEXEC) != 0)
        return SVMC_FETCH_UNREACHABLE;
    (void)setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* quicker, no more */
    link->phase = LINK_CONNECTING;
    link->events = POLLOUT;
    if (connect(link->fd, (const struct sockaddr *)&link->address, link->address_bytes) != 0 &&
        errno != EINPROGRESS)
        return SVMC_FETCH_UNREACHABLE;
    return SVMC_FETCH_NONE;
}

static enum svmc_fetch_reason connected(struct link *link)
{
    struct pollfd ready = { .fd = link->fd, .events = POLLOUT };
    socklen_t bytes = sizeof(int);
    X509_VERIFY_PARAM *param;
    int error = 0;
    BIO *bio;

    if (poll(&ready, 1, 0) == 0)
        return SVMC_FETCH_PENDING;
    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0 || error != 0)
        return SVMC_FETCH_UNREACHABLE;
    link->ssl = SSL_new(link->context);
    bio = BIO_new(link->method);
    if (!link->ssl || !bio) {
        BIO_free(bio);
        return SVMC_FETCH_PROVIDER;
    }
    BIO_set_data(bio, link);
    SSL_set_bio(link->ssl, bio, bio);
    SSL_set_app_data(link->ssl, link);
    param = SSL_get0_param(link->ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    /* KM-5: the name is an address, or else the name of a host, which it says at once */
    if (X509_VERIFY_PARAM_set1_ip_asc(param, link->name) != 1 &&
        (X509_VERIFY_PARAM_set1_host(param, link->name, 0) != 1 ||
         SSL_set_tlsext_host_name(link->ssl, link->name) != 1))
        return SVMC_FETCH_PROVIDER;
    if (link->session)
        (void)SSL_set_session(link->ssl, link->session); /* or a new one */
    link->phase = LINK_SHAKING;
    return SVMC_FETCH_NONE;
}

static enum svmc_fetch_reason shake(struct link *link)
{
    int result = SSL_connect(link->ssl);

    if (result != 1)
        return verdict(link, result);
    if (peer_fault(link->ssl) != SVMC_FETCH_NONE)
        return peer_fault(link->ssl);
    if (link->verified != 2 && SSL_session_reused(link->ssl) != 1)
        return SVMC_FETCH_PEER;
    link->resumed += SSL_session_reused(link->ssl) == 1;
    link->phase = LINK_SENDING;
    return SVMC_FETCH_NONE;
}

static enum svmc_fetch_reason send_some(struct link *link)
{
    int result =
        SSL_write(link->ssl, link->out + link->out_at, (int)(link->out_bytes - link->out_at));

    if (result <= 0)
        return verdict(link, result);
    link->out_at += (size_t)result;
    if (link->out_at == link->out_bytes)
        link->phase = LINK_RECEIVING;
    return SVMC_FETCH_NONE;
}

/* KM-2: its first eight bytes, then what they say and no more. */
static enum svmc_fetch_reason receive_some(struct link *link)
{
    const size_t want = link->in_want != 0 ? link->in_want : 8;
    int result = SSL_read(link->ssl, link->in + link->in_bytes, (int)(want - link->in_bytes));

    if (result <= 0)
        return verdict(link, result);
    link->in_bytes += (size_t)result;
    if (link->in_bytes < want)
        return SVMC_FETCH_NONE;
    if (link->in_want == 0) {
        enum svmc_fetch_reason reason = svmc_kmip_length(link->in, &link->in_want);

        if (reason != SVMC_FETCH_NONE || link->in_want > link->in_bytes)
            return reason;
    }
    if (SSL_pending(link->ssl) != 0)
        return SVMC_FETCH_FORMAT; /* more than was asked for */
    link->phase = LINK_IDLE;
    link->events = 0;
    link->used = 1;
    return SVMC_FETCH_NONE;
}

void svmc_kmip_link_ask(struct link *link)
{
    link->out_at = 0;
    svmc_kmip_link_wipe(link);
    if (link->phase == LINK_IDLE)
        link->phase = LINK_SENDING;
}

static enum svmc_fetch_reason go_on(struct link *link)
{
    ERR_clear_error();
    switch (link->phase) {
    case LINK_CLOSED:
        return start(link);
    case LINK_CONNECTING:
        return connected(link);
    case LINK_SHAKING:
        return shake(link);
    case LINK_SENDING:
        return send_some(link);
    default:
        return receive_some(link);
    }
}

/* KM-6: a connection that was kept may be gone: then the question is asked once more, on another
   one. */
enum svmc_fetch_reason svmc_kmip_link_drive(struct link *link)
{
    enum svmc_fetch_reason reason;

    do {
        reason = go_on(link);
        if (reason == SVMC_FETCH_RESET && link->used && link->in_bytes == 0) {
            svmc_kmip_link_close(link);
            link->out_at = 0;
            reason = SVMC_FETCH_NONE;
        }
    } while (reason == SVMC_FETCH_NONE && link->phase != LINK_IDLE);
    if (reason != SVMC_FETCH_NONE && reason != SVMC_FETCH_PENDING)
        svmc_kmip_link_close(link);
    return reason;
}
