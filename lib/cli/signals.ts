// What each signal asks for, in one process and in a supervisor of several alike. The listeners only queue: what
// they ask for is done in the server's own turn.

/** What signals ask for. */
export interface SignalTargets {
  /** TERM and INT; `fast`: nothing is waited for. */
  stop(signal: NodeJS.Signals, fast: boolean): void
  /** QUIT: as TERM, and after an upgrade the new binary is left all that is new. */
  quit(signal: NodeJS.Signals): void
  /** A second one of these. */
  stopAtOnce(signal: NodeJS.Signals): void
  reload(signal: NodeJS.Signals): void
  reopenLogs(signal: NodeJS.Signals): void
  upgrade(signal: NodeJS.Signals): void
  /** Where there are server processes: all away, one more, one fewer. */
  processes?: ProcessTargets | undefined
}

export interface ProcessTargets {
  suspend(signal: NodeJS.Signals): void
  grow(signal: NodeJS.Signals): void
  shrink(signal: NodeJS.Signals): void
}

type Listening = readonly [NodeJS.Signals, (signal: NodeJS.Signals) => void]

/**
 * A terminal sends WINCH whenever its window changes size, and TTIN and TTOU to what runs behind its back: there
 * they keep their usual meaning.
 */
function forProcesses(targets: ProcessTargets | undefined): Listening[] {
  const onTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  if (targets === undefined || onTerminal) return []
  return [
    ['SIGWINCH', (signal) => targets.suspend(signal)],
    ['SIGTTIN', (signal) => targets.grow(signal)],
    ['SIGTTOU', (signal) => targets.shrink(signal)],
  ]
}

/**
 * Listens to the signals until the returned function is called.
 * @example
 * const release = listenToSignals(targets)
 */
export function listenToSignals(targets: SignalTargets): () => void {
  let stopping = false
  /** What ends the server: once in order, then at once. */
  const ending =
    (end: (signal: NodeJS.Signals) => void) =>
    (signal: NodeJS.Signals): void => {
      if (stopping) targets.stopAtOnce(signal)
      else end(signal)
      stopping = true
    }
  const listeners: readonly Listening[] = [
    ['SIGTERM', ending((signal) => targets.stop(signal, false))],
    ['SIGQUIT', ending((signal) => targets.quit(signal))],
    ['SIGINT', ending((signal) => targets.stop(signal, true))],
    ['SIGHUP', (signal) => targets.reload(signal)],
    ['SIGUSR1', (signal) => targets.reopenLogs(signal)],
    ['SIGUSR2', (signal) => targets.upgrade(signal)],
    ...forProcesses(targets.processes),
  ]
  for (const [signal, listener] of listeners) process.on(signal, listener)
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener)
  }
}
