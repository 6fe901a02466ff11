// Signals of one foreground process. The listeners only queue: what they ask for is done by the
// server in its own turn.

/** What signals ask for. */
export interface SignalTargets {
  /** The first TERM, QUIT or INT. */
  stop(signal: NodeJS.Signals): void
  /** Any further one. */
  stopAtOnce(signal: NodeJS.Signals): void
  /** USR1. */
  reopenLogs(signal: NodeJS.Signals): void
  /** A signal whose meaning this version does not have. */
  ignored(signal: NodeJS.Signals): void
}

/** Reload, upgrade: they must not end the process, which is what they do unheard. */
const UNSUPPORTED: readonly NodeJS.Signals[] = ['SIGHUP', 'SIGUSR2']
const REOPENING: readonly NodeJS.Signals[] = ['SIGUSR1']
const STOPPING: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGQUIT']

/**
 * Listens to the signals until the returned function is called.
 * @example
 * const release = listenToSignals({ stop: () => server.close(), stopAtOnce: () => process.exit(0), reopenLogs: () => server.reopenLogs(), ignored() {} })
 */
export function listenToSignals(targets: SignalTargets): () => void {
  let stopping = false
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) targets.stopAtOnce(signal)
    else targets.stop(signal)
    stopping = true
  }
  const ignore = (signal: NodeJS.Signals): void => targets.ignored(signal)
  const reopen = (signal: NodeJS.Signals): void => targets.reopenLogs(signal)
  const listeners = [
    ...STOPPING.map((signal) => [signal, stop] as const),
    ...REOPENING.map((signal) => [signal, reopen] as const),
    ...UNSUPPORTED.map((signal) => [signal, ignore] as const),
  ]
  for (const [signal, listener] of listeners) process.on(signal, listener)
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener)
  }
}
