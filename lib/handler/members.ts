// The named things of a handler: methods of the instance of handler_class, then exports of handler_module.

import { misuse } from '../errors.js'
import type { HandlerClass } from '../options/settings.js'
import { nearest } from '../options/suggestion.js'
import type { AnyFunction } from './code.js'
import type { ModuleExports } from './module.js'
import type { FunctionValue } from './resolve.js'

type Bag = Readonly<Record<string, unknown>>

export class Members {
  readonly #module: ModuleExports | undefined
  readonly #moduleName: string
  #instance: Bag | undefined
  #className = ''
  readonly #originals = new Map<AnyFunction, AnyFunction>()

  constructor(module: ModuleExports | undefined, moduleName: string) {
    this.#module = module
    this.#moduleName = moduleName
  }

  /** Neither a module nor a class was given. */
  get isEmpty(): boolean {
    return this.#module === undefined && this.#instance === undefined
  }

  /** Makes the instance whose methods are found first; kwargs, if there are any, are its last argument. */
  construct(chosen: string | HandlerClass, args: readonly unknown[], kwargs: Bag): void {
    const made = typeof chosen === 'string' ? this.#exportedClass(chosen) : chosen
    this.#className = made.name || String(chosen)
    const all = Object.keys(kwargs).length > 0 ? [...args, kwargs] : args
    try {
      this.#instance = new made(...all) as Bag
    } catch (error) {
      const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
      throw misuse(
        'ERR_GAIDAROS_HANDLER',
        `handler_class: ${this.#className} cannot be constructed: ${why}; wanted a class that takes handler_class_args and kwargs`,
        error,
      )
    }
  }

  /** What stands under the standard name of a function (`handleRequest`); undefined when nothing does. */
  standard(name: string): FunctionValue {
    return (this.#method(name) ?? this.#module?.[name]) as FunctionValue
  }

  /** `idempotent` of the class or the module: requests may run twice. */
  get isIdempotent(): boolean {
    return (this.#method('idempotent') ?? this.#module?.['idempotent']) === true
  }

  /** The function that an option names. Throws ERR_GAIDAROS_HANDLER when there is none. */
  named(option: string, path: string): AnyFunction {
    const found = this.#method(path) ?? dig(this.#module, path)
    if (typeof found === 'function') return found as AnyFunction
    const problem =
      found === undefined ? 'there is no such function' : `this is of type ${typeof found}`
    throw misuse(
      'ERR_GAIDAROS_HANDLER',
      `${option}: ${JSON.stringify(path)} of ${this.describe()}: ${problem}; ${this.offer(path)}`,
    )
  }

  /** The function behind a bound method. */
  original(fn: AnyFunction): AnyFunction {
    return this.#originals.get(fn) ?? fn
  }

  /** Where names are looked up, for messages. */
  describe(): string {
    const places = []
    if (this.#instance) places.push(`handler_class ${this.#className}`)
    if (this.#module) places.push(`handler_module ${this.#moduleName}`)
    return places.join(' and ') || 'no handler_module or handler_class'
  }

  /** What was wanted, with the name that is most like `name`. */
  offer(name: string): string {
    const known = this.#names()
    const like = nearest(name, known)
    if (like !== undefined && like !== name) return `did you mean ${like}?`
    return known.length > 0
      ? `wanted one of ${known.join(', ')}`
      : 'wanted a module that exports it'
  }

  #exportedClass(name: string): HandlerClass {
    const found = dig(this.#module, name)
    if (typeof found === 'function') return found as HandlerClass
    throw misuse(
      'ERR_GAIDAROS_HANDLER',
      `handler_class: ${JSON.stringify(name)} of ${this.describe()} is of type ${typeof found}; ` +
        (found === undefined ? this.offer(name) : 'wanted a class'),
    )
  }

  /** A method of the instance, bound to it; any other property as it is. */
  #method(name: string): unknown {
    const found = dig(this.#instance, name)
    if (typeof found !== 'function') return found
    const bound = found.bind(this.#instance) as AnyFunction
    this.#originals.set(bound, found as AnyFunction)
    return bound
  }

  #names(): string[] {
    const names = new Set<string>()
    for (const [name, value] of Object.entries(this.#module ?? {}))
      if (typeof value === 'function') names.add(name)
    for (
      let bag: object | null = this.#instance ?? null;
      bag && bag !== Object.prototype;
      bag = Object.getPrototypeOf(bag)
    )
      for (const name of Object.getOwnPropertyNames(bag))
        if (name !== 'constructor') names.add(name)
    return [...names]
  }
}

/** `a.b` of a bag; undefined when there is no such thing. Nothing of Object.prototype counts. */
function dig(bag: Bag | undefined, path: string): unknown {
  let found: unknown = bag
  for (const name of path.split('.')) {
    if (found === undefined || found === null) return undefined
    const value = (found as Bag)[name]
    found = value === (Object.prototype as unknown as Bag)[name] ? undefined : value
  }
  return found
}
