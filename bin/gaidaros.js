#!/usr/bin/env node
// The gaidaros command. SIGUSR1 gets its listener before anything else is loaded: without one Node
// opens its inspector on that signal. Whatever comes before the server is ready is not lost.
import process from 'node:process'

process.on('SIGUSR1', () => {})
const { main } = await import('../dist/cli/main.js')
process.exitCode = await main(process.argv.slice(2))
