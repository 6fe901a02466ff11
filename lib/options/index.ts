// Options: the table and everything that is derived from it.

export { defaults } from './defaults.js'
export { classify, isCode } from './expression.js'
export type { Option, Section } from './option.js'
export { OptionsError, type Problem, problemText } from './problem.js'
export { type Resolved, resolve, type Sources } from './resolve.js'
export type { GaidarosOptions, HandlerClass, SettingName, Settings } from './settings.js'
export { type Origin, originText } from './source.js'
export { type OptionName, type Row, table } from './table.js'
export { unavailable } from './unavailable.js'
