// Why connections are closed: one table for statistics, logs and hooks. native/conn/reason.h has the
// same names in the same order; the loader compares them.

/** Every reason, in the order of their numbers. `normal` ones are nobody's fault and are not logged. */
export const REASONS = [
  'end', // the peer half-closed, everything in flight was answered and flushed
  'done', // the server ended it after a reply ([reply, false], keepalive = no, connection.end())
  'closed', // the handler called connection.close()
  'shutdown', // the server is closing
  'reset', // the peer reset the connection
  'io_error', // recv or send failed otherwise
  'handler_error', // the handler threw, rejected, or returned a type that has no bytes
  'handler_timeout', // the handler did not answer within handler_timeout
  'split', // split_request returned a rest that is not shorter
  'frame_size', // a frame longer than max_frame_size
  'frame_error', // bytes that the framer cannot accept (a varint that never ends, a negative length)
  'first_byte_timeout',
  'frame_timeout',
  'idle_timeout',
  'write_timeout',
  'linger', // the peer did not close within linger_timeout, linger_idle_timeout or linger_bytes
  'output_limit', // more unsent output than output_limit, or a message that no socket takes
  'max_connections', // accepted above the limit and closed at once
  'max_connections_per_ip',
  'filter_error', // a filter on the stream (TLS, compression, PROXY) failed
  'worker_lost', // the worker (thread or process) that had a request of it died
  'proxy_error', // what came first was no PROXY header of the versions asked for
  'proxy_denied', // its address is not in proxy_allow_from
  'proxy_timeout', // no PROXY header within proxy_timeout
  'tls_error', // a handshake failed, a record was bad, or plain bytes came behind the request for TLS
  'tls_timeout', // a handshake took longer than tls_handshake_timeout
  'tls_truncated', // the peer's FIN came without close_notify: the stream may have been cut
  'inflate_error', // what came is no stream of the method that compress names
  'inflate_limit', // it inflates further than inflate_max or inflate_ratio let it
  'inflate_trailing', // something else stands behind its end
  'inflate_truncated', // the peer half-closed within it
] as const

export type CloseReason = (typeof REASONS)[number]

/** Reasons that an operator wants to see in the log. */
export const ABNORMAL: ReadonlySet<CloseReason> = new Set(
  REASONS.filter(
    (r) => !['end', 'done', 'closed', 'shutdown', 'reset', 'idle_timeout'].includes(r),
  ),
)
