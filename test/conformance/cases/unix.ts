// Unix sockets: their names in the file system, who may connect, and who has.

import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, lstatSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import type { Connection } from '../../../lib/handler/contract.js'
import type { Cases, Context } from '../case.js'
import { brief } from '../deadline.js'
import { abstractName, place } from '../unixsockets.js'

const make = (ctx: Context, socketPath: string, options: Record<string, unknown> = {}) =>
  ctx.make({ protocol: 'unixsocket', socketPath, ...options })

/** Leaves the name of a socket whose server is gone. */
function leaveStale(path: string): void {
  const code = `const s = require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  spawnSync(process.execPath, ['-e', code])
  if (!lstatSync(path).isSocket()) throw new Error(`${path} is no socket`)
}

const modeOf = (path: string): string => (lstatSync(path).mode & 0o777).toString(8)

export const unix: Cases = {
  'a client is served; the name goes with the server': async (t, ctx) => {
    const path = place(t)
    const served = await make(ctx, path).listen()
    t.strictSame(served.addresses, [{ address: path, family: 'unix', port: 0 }])
    const client = await served.connect()
    await client.ask('hello\n')
    await served.server.close()
    t.notOk(existsSync(path))
  },

  'socket_mode, whatever the umask': async (t, ctx) => {
    const path = place(t)
    await make(ctx, path).listen()
    t.equal(modeOf(path), '600')
    const open = place(t)
    const served = await make(ctx, open, { socketMode: '666' }).listen()
    t.equal(modeOf(open), '666')
    await (await served.connect()).ask('a\n')
  },

  'socket_group, by its number': async (t, ctx) => {
    const path = place(t)
    const group = process.getgroups?.().at(-1) ?? 0
    await make(ctx, path, { socketGroup: `${group}`, socketMode: '660' }).listen()
    t.equal(lstatSync(path).gid, group)
    t.equal(modeOf(path), '660')
  },

  'socket_group: one that there is not': async (t, ctx) => {
    const path = place(t)
    const served = make(ctx, path, { socketGroup: 'no-such-group' })
    await t.rejects(served.listen(), { code: 'ERR_GAIDAROS_LISTEN', message: /no-such-group/ })
    t.notOk(existsSync(path))
  },

  'what a dead server has left is replaced': async (t, ctx) => {
    const path = place(t)
    leaveStale(path)
    const served = await make(ctx, path).listen()
    await (await served.connect()).ask('a\n')
  },

  'a server that lives keeps its name': async (t, ctx) => {
    const path = place(t)
    const first = await make(ctx, path).listen()
    await t.rejects(make(ctx, path).listen(), {
      code: 'ERR_GAIDAROS_LISTEN',
      errnoCode: 'EADDRINUSE',
      message: /in use/,
    })
    await (await first.connect()).ask('still here\n')
    t.ok(existsSync(path))
  },

  'of two that start at once one has the name': async (t, ctx) => {
    const path = place(t)
    leaveStale(path)
    const both = [make(ctx, path), make(ctx, path)]
    const outcomes = await Promise.allSettled(both.map((each) => each.listen()))
    const serving = both.filter((_, i) => outcomes[i]?.status === 'fulfilled')
    t.equal(serving.length, 1)
    await (await serving[0]?.connect())?.ask('a\n')
  },

  'who does not read is closed by write_timeout': async (t, ctx) => {
    const served = await make(ctx, place(t), {
      writeTimeout: brief(100),
      handleRequest: () => Buffer.alloc(8 * 1024 * 1024),
    }).listen()
    const client = await served.connect({ reading: false })
    client.send('a\n')
    await served.reachClosed('write_timeout')
    const next = await served.connect({ reading: false })
    next.send('a\n')
    await served.reach(({ requests }) => requests === 2, 'a request of another client')
    t.equal(await served.closed('write_timeout'), 1)
  },

  'what is no socket is never touched': async (t, ctx) => {
    const path = place(t)
    writeFileSync(path, 'precious')
    await t.rejects(make(ctx, path).listen(), {
      code: 'ERR_GAIDAROS_LISTEN',
      message: /no socket/,
    })
    t.equal(lstatSync(path).size, 8)
  },

  'a name that another has taken meanwhile stays': async (t, ctx) => {
    const path = place(t)
    const served = await make(ctx, path).listen()
    rmSync(path)
    const other = net.createServer().listen(path)
    t.teardown(() => other.close())
    await new Promise((resolve) => other.once('listening', resolve))
    await served.server.close()
    t.ok(existsSync(path))
  },

  'a name that is too long, or in a directory that is not there': async (t, ctx) => {
    await t.rejects(make(ctx, place(t, 'x'.repeat(120))).listen(), {
      code: 'ERR_GAIDAROS_LISTEN',
      message: /too long/,
    })
    await t.rejects(make(ctx, join(place(t), 'deeper')).listen(), {
      code: 'ERR_GAIDAROS_LISTEN',
      message: /socket_path: .*cannot be made/,
    })
  },

  'the abstract namespace': async (t, ctx) => {
    const name = abstractName()
    const served = await make(ctx, name).listen()
    t.strictSame(served.addresses, [{ address: name, family: 'unix', port: 0 }])
    // Node pads such names with zeros, which is another name to everybody else.
    if (ctx.variant.engine === 'portable') await (await served.connect()).ask('a\n')
    else {
      const socat = ['-t', '10', '-', `ABSTRACT-CONNECT:${name.slice(1)}`]
      const child = spawn('socat', socat, { stdio: ['pipe', 'pipe', 'inherit'] })
      child.stdin.end('a\n')
      t.equal(String(await child.stdout.toArray().then(Buffer.concat)), 'a\n')
    }
    await t.rejects(make(ctx, name).listen(), { code: 'ERR_GAIDAROS_LISTEN' })
  },

  'the connection says what it is': async (t, ctx) => {
    const path = place(t)
    const served = await make(ctx, path, {
      handleRequest: (_: Buffer, { local, remote, protocol }: Connection) =>
        `${protocol} ${local.family} ${local.address} ${remote.family} ${remote.address}.\n`,
    }).listen()
    await (await served.connect()).ask('a\n', `unixsocket unix ${path} unix .\n`)
  },

  'who has connected': async (t, ctx) => {
    const served = await make(ctx, place(t), {
      handleRequest: (_: Buffer, { credentials }: Connection) =>
        `${JSON.stringify(credentials ?? {})}\n`,
    }).listen()
    const { pid } = process
    const wanted = { pid, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
    // node:net does not tell.
    const expected = ctx.variant.engine === 'native' ? wanted : {}
    await (await served.connect()).ask('a\n', `${JSON.stringify(expected)}\n`)
  },

  'who may not connect is not served': async (t, ctx) => {
    const path = place(t)
    await make(ctx, path).listen()
    if (process.getuid?.() !== 0) return void t.pass('root', { skip: 'only root can be another' })
    chmodSync(join(path, '..'), 0o755)
    const code = `process.setuid(65534); require('node:net').connect(${JSON.stringify(path)}).on('error', (e) => console.log(e.code))`
    const { stdout } = spawnSync(process.execPath, ['-e', code], { encoding: 'utf8' })
    t.equal(stdout.trim(), 'EACCES')
  },
}
