// How a process of the server is started: the flags of node that this one runs with.

/** Flags with a value of their own that must not come along: the code of `node -e`. */
const WITH_VALUE = new Set(['-e', '--eval', '-p', '--print', '-pe'])
/** What belongs to one process only: a debugger's port, a test runner, a watcher, standard input as the program. */
const OWN =
  /^(?:--inspect(?:-.*)?|--debug-port|--test(?:-.*)?|--watch(?:-.*)?|--input-type|-i|--interactive|-c|--check)(?:=|$)/

/**
 * Flags of node for a child: what was given to this process, less what belongs to it alone.
 * @example
 * childFlags(['--enable-source-maps', '--inspect=9229', '-e', 'serve()']) // ['--enable-source-maps']
 */
export function childFlags(flags: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i < flags.length; i++) {
    const flag = flags[i] as string
    if (WITH_VALUE.has(flag)) i++
    else if (!OWN.test(flag)) kept.push(flag)
  }
  return kept
}
