// top: a live view of the running server, over its control socket; one picture where there is no terminal.

import { setTimeout as sleep } from 'node:timers/promises'
import type { ReadStream, WriteStream } from 'node:tty'
import { deferred } from '../../dispatch/deferred.js'
import type { Resolved, Settings } from '../../options/index.js'
import { EXIT } from '../failure.js'
import { say } from '../terminal.js'
import { picture } from '../top/picture.js'
import { Screen } from '../top/screen.js'
import { COLOURS, PLAIN } from '../top/style.js'
import { Watch } from '../top/watch.js'
import { controlFailure, controlSocketOf } from './ctl.js'

/** Where nothing says how wide it is. */
const WIDTH = 120

/** `gaidaros top` */
export async function top({ settings }: Resolved): Promise<number> {
  const watch = new Watch(controlSocketOf(settings))
  try {
    if (process.stdout.isTTY) await follow(watch, settings)
    else await once(watch, settings)
    return EXIT.ok
  } catch (error) {
    throw controlFailure(error)
  } finally {
    watch.close()
  }
}

async function once(watch: Watch, { interval }: Settings): Promise<void> {
  await watch.look()
  await sleep(interval)
  await watch.look()
  const { before, now, history } = watch
  if (before === undefined || now === undefined) return
  const size = { columns: WIDTH, rows: Number.POSITIVE_INFINITY }
  say(...picture({ before, now, history, style: PLAIN, ...size }))
}

/** Until the user, or a signal, ends it. A server that goes away is waited for, one that never was is not. */
async function follow(watch: Watch, { interval }: Settings): Promise<void> {
  await watch.look()
  const style = process.env['NO_COLOR'] ? PLAIN : COLOURS
  const { promise: quit, resolve: leave } = deferred()
  let trouble: string | undefined
  const draw = (): void => {
    const { before, now, history } = watch
    const { columns, rows } = screen
    if (before === undefined || now === undefined) return
    screen.draw(picture({ before, now, history, columns, rows, style, trouble }))
  }
  const screen = new Screen(process.stdin as ReadStream, process.stdout as WriteStream, {
    changed: draw,
    quit: leave,
  })
  const ended = quit.then(() => true)
  screen.open()
  try {
    for (;;) {
      draw()
      const time = new AbortController()
      const next = sleep(interval, false, { signal: time.signal }).catch(() => true)
      const isOver = await Promise.race([next, ended])
      time.abort()
      if (isOver) return
      const looked = watch.look().then(
        () => {
          trouble = undefined
        },
        (error: Error) => {
          trouble = `no answer, trying: ${error.message}`
        },
      )
      if (await Promise.race([looked, ended])) return
    }
  } finally {
    screen.close()
  }
}
