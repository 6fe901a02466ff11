// What a published number needs beside it: commit, machine, kernel, node.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import process from 'node:process'

function firstLine(command, args) {
  try {
    return execFileSync(command, args, { encoding: 'utf8', cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0]
  } catch {
    return 'unknown'
  }
}

function setting(path) {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return 'unknown'
  }
}

/** Facts about this machine and checkout, for the head of a result file. */
export function describeMachine() {
  return {
    commit: firstLine('git', ['rev-parse', 'HEAD']),
    uncommittedChanges: firstLine('git', ['status', '--porcelain', '-uno']) !== '',
    kernel: release(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    node: process.version,
    compiler: firstLine(process.env.CC ?? 'cc', ['--version']),
    congestionControl: setting('/proc/sys/net/ipv4/tcp_congestion_control'),
    load: setting('/proc/loadavg'),
    commandLine: process.argv.slice(1).map((part) => part.split('/').at(-1)),
  }
}

/**
 * Makes room for `wanted` descriptors in this process and what it starts.
 * @returns {string} '' when there is, otherwise why there is not
 */
export function ensureDescriptors(wanted) {
  const hard = Number(/Max open files\s+\d+\s+(\d+)/.exec(setting('/proc/self/limits'))?.[1] ?? 0)
  if (hard >= wanted) return ''
  try {
    execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${wanted}:${wanted}`], { stdio: 'pipe' })
    return ''
  } catch (error) {
    return `${wanted} descriptors are wanted, ${hard} allowed: ${String(error.stderr ?? error.message).trim()}`
  }
}
