// A server process of a pool. The supervisor starts it with the listening sockets among its descriptors and tells it
// the rest by messages; it leaves when the supervisor is gone.

// What an operator's terminal, or a careless kill of the whole group, sends is the supervisor's to act upon. Before
// anything else is loaded: unheard, these signals would end the process or open a debugger.
for (const signal of ['SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const)
  process.on(signal, () => {})

const { leaveWithParent } = await import('../../process/parent.js')
leaveWithParent('in time')
const { Worker } = await import('./worker.js')
const worker = new Worker((message, sent) => process.send?.(message, () => sent?.()))
process.on('message', (message) => worker.hear(message as never))
process.on('SIGTERM', () => worker.leave()).on('SIGQUIT', () => worker.leave())
process.on('disconnect', () => worker.abandoned())
process.on('uncaughtException', (error) => worker.broken(error, 'uncaught exception'))
process.on('unhandledRejection', (reason) => worker.broken(reason, 'unhandled rejection'))

export {}
