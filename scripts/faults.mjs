// Faults under load, over loopback, against the real command: what an operator does to a server, and what happens to it.
// Ends by itself, in some two minutes.
//
//   node scripts/faults.mjs [reload] [kill] [starve] [--seconds 20] [-- OPTIONS OF THE SERVER]
//
// reload  20 HUPs, one of them with a broken handler, and one USR2, under 8 connectors that open connections all the
//         time, while 8 held connections go on asking: nothing may be refused, reset or left without an answer
// kill    SIGKILL of a server process each second: only its own connections may be lost; afterwards no zombie, no
//         descriptor, thread or shared memory more than before; each one is back within a second
// starve  a limit of descriptors below the number of connections: CPU below 0.2 of a core, the old connections answered
//         within 100 ms, new ones accepted within 3 s of relief
//
// Exit status 1 when something of this did not hold.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const cut = process.argv.indexOf('--')
const OPTIONS = cut < 0 ? [] : process.argv.slice(cut + 1)
const { values, positionals } = parseArgs({
  args: process.argv.slice(2, cut < 0 ? undefined : cut),
  options: { seconds: { type: 'string', default: '20' } },
  allowPositionals: true,
})
const SECONDS = Number(values.seconds)
const RELOADS = 20
const WAIT_MS = 30_000
const BIN = fileURLToPath(new URL('../bin/gaidaros.js', import.meta.url))
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is the handler's template
const HANDLER = 'export const handleRequest = (line) => `${process.pid} ${line}`\n'

const directory = mkdtempSync(join(tmpdir(), 'gaidaros-faults-'))
const handler = join(directory, 'handler.mjs')
const started = new Set()
process.on('exit', () => {
  for (const child of started) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})
for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => process.exit(1))

const problems = []
function check(holds, text) {
  console.log(`  ${holds ? 'ok  ' : 'FAIL'}  ${text}`)
  if (!holds) problems.push(text)
}

async function until(what, condition, ms = WAIT_MS) {
  const end = performance.now() + ms
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not in time: ${what}`)
    await delay(10)
  }
}

/** The command with the options that all scenarios share, once it listens. */
async function start(options, limit) {
  writeFileSync(handler, HANDLER)
  const fixed = ['--no-config', '--allow-root', '-h', '127.0.0.1', '-p', '0', '-m', handler]
  const prefix = limit === undefined ? [] : ['prlimit', `--nofile=${limit}`]
  const [command, ...args] = [...prefix, process.execPath, BIN, ...fixed, ...options, ...OPTIONS]
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  started.add(child)
  const server = { child, pid: child.pid, text: '', port: 0 }
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      server.text += text
    })
  child.once('exit', () => started.delete(child))
  await until('listening', () => {
    if (child.exitCode !== null) throw new Error(`the server ended: ${server.text}`)
    server.port = Number(/listening on \S+:(\d+)/.exec(server.text)?.[1] ?? 0)
    return server.port !== 0 && /try it/.test(server.text)
  })
  return server
}

async function stop({ child }) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
}

const count = (text, pattern) => text.match(pattern)?.length ?? 0

function childrenOf(pid) {
  const found = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const [state, parent] = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')
      if (Number(parent) === pid) found.push({ pid: Number(name), zombie: state === 'Z' })
    } catch {
      // It has ended since the directory was read.
    }
  }
  return found
}
const entries = (pid, of) => readdirSync(`/proc/${pid}/${of}`).length
const shared = (pid) => count(readFileSync(`/proc/${pid}/maps`, 'utf8'), /memfd:/g)
const lives = (pid) => readdirSync('/proc').includes(String(pid))

/** Processor time of a process, milliseconds. */
function cpuMs(pid) {
  const ofTask = (task) =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1e6
  return readdirSync(`/proc/${pid}/task`).reduce((sum, task) => sum + ofTask(task), 0)
}

/** A connection that stays; ask() resolves with the pid that answered. */
class Held {
  constructor(port) {
    this.received = ''
    this.failure = undefined
    this.pid = undefined
    this.socket = connect(port, '127.0.0.1')
    this.socket.setEncoding('utf8').on('data', (text) => {
      this.received += text
      if (this.received.endsWith('\n')) this.answered?.()
    })
    this.socket.on('error', (error) => this.#end(error.code))
    this.socket.on('close', () => this.#end('closed'))
  }

  #end(why) {
    this.failure ??= why
    this.answered?.()
  }

  async ask(ms = 10_000) {
    if (this.failure !== undefined) throw new Error(this.failure)
    this.received = ''
    const answer = new Promise((resolve) => {
      this.answered = resolve
    })
    this.socket.write('x\n')
    const late = new AbortController()
    await Promise.race([
      answer,
      delay(ms, undefined, { signal: late.signal }).catch(() => undefined),
    ])
    late.abort()
    if (!this.received.endsWith('\n')) throw new Error(this.failure ?? 'no answer')
    this.pid = Number.parseInt(this.received, 10)
    return this.pid
  }
}

async function hold(port, number) {
  const held = Array.from({ length: number }, () => new Held(port))
  await Promise.all(held.map((each) => each.ask()))
  return held
}

/** Opens connections one after the other, each asks once, until stop(). */
function connectors(port, number) {
  const seen = { answered: 0, failures: new Map(), stopping: false }
  const fail = (why) => seen.failures.set(why, (seen.failures.get(why) ?? 0) + 1)
  const run = async () => {
    while (!seen.stopping) {
      const one = new Held(port)
      try {
        await one.ask()
        seen.answered++
      } catch (error) {
        fail(error.message)
      }
      one.socket.destroy()
    }
  }
  const running = Promise.all(Array.from({ length: number }, run))
  const stop = () => {
    seen.stopping = true
    return running
  }
  return { seen, stop }
}

const told = (failures) =>
  [...failures].map(([why, times]) => `${why} ${times}`).join(', ') || 'none'

async function reload() {
  console.log(
    `reload: ${RELOADS} HUPs, one with a broken handler, and one USR2, under 8 connectors`,
  )
  const server = await start([
    '-S',
    'procpool',
    '-N',
    '2',
    '--idle-timeout',
    '0',
    '--reload-grace',
    '0',
  ])
  const held = await hold(server.port, 8)
  const { seen, stop: stopConnectors } = connectors(server.port, 8)
  let reloaded = 0
  for (let round = 1; round <= RELOADS; round++) {
    const bad = round === RELOADS / 2
    writeFileSync(handler, bad ? 'export const nothing = 1\n' : HANDLER)
    server.child.kill('SIGHUP')
    if (bad) await until('the refusal', () => /not reloaded;/.test(server.text))
    else {
      reloaded++
      await until(`reload ${round}`, () => count(server.text, /reloaded; changed/g) >= reloaded)
    }
    await Promise.all(held.map((each) => each.ask()))
  }
  check(true, `${reloaded} reloads, one refused: ${/not reloaded;[^\n]*/.exec(server.text)?.[0]}`)
  server.child.kill('SIGUSR2')
  await until('the new binary', () => count(server.text, /try it/g) === 2)
  const successor = Number(/the new binary is started, pid (\d+)/.exec(server.text)?.[1])
  server.child.kill('SIGQUIT')
  await until('the old one retires', () => /QUIT: the new binary serves/.test(server.text))
  await delay(500)
  const answers = await Promise.allSettled(held.map((each) => each.ask()))
  const lost = answers.filter(({ status }) => status === 'rejected')
  await stopConnectors()
  check(
    seen.failures.size === 0,
    `${seen.answered} connections answered; refused, reset or unanswered: ${told(seen.failures)}`,
  )
  check(
    lost.length === 0,
    `${held.length - lost.length} of ${held.length} old connections are still answered`,
  )
  for (const { socket } of held) socket.destroy()
  await until('the old one ends', () => server.child.exitCode !== null)
  check(server.child.exitCode === 0, `the old one ended with ${server.child.exitCode}`)
  process.kill(successor, 'SIGTERM')
  await until('the new one ends', () => !lives(successor))
}

async function kill() {
  console.log(`kill: SIGKILL of a server process each second for ${SECONDS} s, under load`)
  const server = await start(['-S', 'procpool', '-N', '2', '--idle-timeout', '0'])
  const { pid, port } = server
  for (const { socket } of await hold(port, 8)) socket.destroy()
  await delay(500)
  const before = { fd: entries(pid, 'fd'), task: entries(pid, 'task'), memfd: shared(pid) }
  let held = await hold(port, 12)
  const { seen, stop: stopConnectors } = connectors(port, 4)
  let foreign = 0
  let slowest = 0
  for (let round = 0; round < SECONDS; round++) {
    const began = performance.now()
    const victims = childrenOf(pid).filter(({ zombie }) => !zombie)
    const victim = victims[round % victims.length].pid
    process.kill(victim, 'SIGKILL')
    const others = held.filter((each) => each.pid !== victim)
    const answers = await Promise.allSettled(others.map((each) => each.ask()))
    foreign += answers.filter(({ status }) => status === 'rejected').length
    const known = new Set(victims.map((each) => each.pid))
    const probe = async () => {
      const one = new Held(port)
      const answered = await one.ask().catch(() => 0)
      one.socket.destroy()
      return answered !== 0 && !known.has(answered)
    }
    await until('a new process answers', probe)
    slowest = Math.max(slowest, performance.now() - began)
    held = [...others, ...(await hold(port, 12 - others.length).catch(() => []))]
    await delay(Math.max(0, 1000 - (performance.now() - began)))
  }
  await stopConnectors()
  for (const { socket } of held) socket.destroy()
  check(foreign === 0, `connections of other processes that were lost: ${foreign}`)
  check(slowest < 1000, `the slowest new process answered ${Math.round(slowest)} ms after the kill`)
  console.log(
    `        ${seen.answered} connections answered meanwhile; with the killed ones went: ${told(seen.failures)}`,
  )
  const zombies = childrenOf(pid).filter(({ zombie }) => zombie).length
  check(zombies === 0, `zombies: ${zombies}`)
  await until('descriptors are given back', () => entries(pid, 'fd') <= before.fd, 5000).catch(
    () => undefined,
  )
  const after = { fd: entries(pid, 'fd'), task: entries(pid, 'task'), memfd: shared(pid) }
  check(
    after.fd <= before.fd && after.task <= before.task && after.memfd <= before.memfd,
    `supervisor before and after: ${before.fd} and ${after.fd} descriptors, ${before.task} and ${after.task} threads, ${before.memfd} and ${after.memfd} shared mappings`,
  )
  await stop(server)
  check(server.child.exitCode === 0, `ended with ${server.child.exitCode}`)
}

async function starve() {
  const limit = 80
  console.log(`starve: a limit of ${limit} descriptors and ${limit * 2} connections`)
  const server = await start(['--first-byte-timeout', '0', '--idle-timeout', '0'], limit)
  const old = await hold(server.port, 10)
  const crowd = Array.from({ length: limit * 2 }, () => new Held(server.port))
  await delay(1500)
  const open = entries(server.pid, 'fd')
  check(open >= limit - 2, `${open} descriptors are open, of ${limit}`)
  const cpu = cpuMs(server.pid)
  const began = performance.now()
  const times = []
  while (performance.now() - began < 5000) {
    for (const each of old) {
      const asked = performance.now()
      await each.ask()
      times.push(performance.now() - asked)
    }
    await delay(100)
  }
  const share = (cpuMs(server.pid) - cpu) / (performance.now() - began)
  const slowest = Math.max(...times)
  check(share < 0.2, `${share.toFixed(3)} of a core while starved`)
  check(
    slowest < 100,
    `${times.length} answers on old connections, the slowest after ${slowest.toFixed(1)} ms`,
  )
  for (const { socket } of crowd) socket.destroy()
  const relieved = performance.now()
  const fresh = new Held(server.port)
  await fresh.ask()
  check(
    performance.now() - relieved < 3000,
    `a new connection is answered ${Math.round(performance.now() - relieved)} ms after relief`,
  )
  fresh.socket.destroy()
  for (const { socket } of old) socket.destroy()
  await stop(server)
}

const SCENARIOS = { reload, kill, starve }
const wanted = positionals.length > 0 ? positionals : Object.keys(SCENARIOS)
const unknown = wanted.filter((name) => !(name in SCENARIOS))
if (unknown.length > 0 || !(SECONDS > 0)) {
  console.error(
    `faults: ${unknown.join(' ') || '--seconds'}: wanted some of ${Object.keys(SCENARIOS).join(', ')}, and seconds above 0`,
  )
  process.exit(2)
}
for (const name of wanted) {
  try {
    await SCENARIOS[name]()
  } catch (error) {
    check(false, `${name}: ${error.message}`)
  }
}
console.log(problems.length === 0 ? 'passed' : 'FAILED')
process.exitCode = problems.length === 0 ? 0 : 1
