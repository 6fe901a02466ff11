// Where the command prints: results on stdout, complaints on stderr, each a whole line.

/** Prints lines on stdout. */
export function say(...lines: string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''))
}

/** Prints lines on stderr. */
export function complain(...lines: string[]): void {
  process.stderr.write(lines.map((line) => `${line}\n`).join(''))
}

/**
 * A reader that goes away (`gaidaros | head -1`) must not end a server: what cannot be printed any
 * more is lost, and that is all.
 */
export function survivePipes(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
}
