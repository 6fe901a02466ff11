// Passes TAP through and closes with "N passed, N failed, N skipped". Exit 1 where no test ran.
'use strict'
let last
require('node:readline')
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    console.log(line)
    const m = /^# \{ (total: .*) \}$/.exec(line)
    if (m) last = Object.fromEntries(m[1].split(', ').map((p) => p.split(': ')))
  })
  .on('close', () => {
    const n = (key) => Number(last?.[key] ?? 0)
    console.log(`${n('pass')} passed, ${n('fail')} failed, ${n('skip') + n('todo')} skipped`)
    if (n('total') === 0) process.exitCode = 1
  })
