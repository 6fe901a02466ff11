// The environment that workers and other programs of the server get: what they need, and nothing that was
// meant for the server's own start.

/** Names that pass: where programs and modules are, language, time zone, home, certificates, Node's and ours. */
const PASSES =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TZDIR|TMPDIR|SSL_CERT_(?:FILE|DIR)|NODE_(?:ENV|EXTRA_CA_CERTS|OPTIONS|PATH|V8_COVERAGE)|UV_THREADPOOL_SIZE|UV_USE_IO_URING|GAIDAROS_(?!INHERIT$)[A-Z0-9_]+)$/

/**
 * The part of an environment that is handed on to workers; secrets in variables of other names stay behind.
 * @example
 * cleanEnvironment({ PATH: '/bin', AWS_SECRET_ACCESS_KEY: 'x', NOTIFY_SOCKET: '@a' }) // { PATH: '/bin' }
 */
export function cleanEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const kept = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && PASSES.test(entry[0]),
  )
  return Object.fromEntries(kept)
}
