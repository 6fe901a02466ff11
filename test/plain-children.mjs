// Processes that tests start are as they are without tap, which has each of them load its own loader (for coverage, which
// is off): time, and hundreds of system calls that a server does not have otherwise. A child that got the loader by these
// flags without tap's environment would even collect coverage, of which tap then finds too little.

globalThis[Symbol.for('process-on-spawn@*:singletonId')]?.unwrap()
delete process.env['NODE_OPTIONS']
process.execArgv.length = 0
