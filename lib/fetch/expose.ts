// Gives a class the shape of an interface of the web: its name, enumerable members, a tag,
// and that Node's are instances of it.

import { type NodeClass, node } from './node.js'

type Class = abstract new (...args: never[]) => unknown

/** @param mixins classes whose members become its own, as `interface Response includes Body` has it */
export function expose(target: Class, name: NodeClass, ...mixins: Class[]): void {
  const own = target.prototype as object
  for (const mixin of mixins) copyMembers(mixin.prototype as object, own)
  if (mixins.length > 0) Object.setPrototypeOf(own, Object.prototype)
  makeEnumerable(own)
  makeEnumerable(target)
  Object.defineProperty(target, 'name', { value: name, configurable: true })
  Object.defineProperty(own, Symbol.toStringTag, { value: name, configurable: true })
  includeNodes(target, name)
}

function copyMembers(from: object, to: object): void {
  for (const name of Object.getOwnPropertyNames(from)) {
    const descriptor = Object.getOwnPropertyDescriptor(from, name)
    if (descriptor !== undefined && !Object.hasOwn(to, name))
      Object.defineProperty(to, name, descriptor)
  }
}

const OF_FUNCTIONS = ['constructor', 'prototype', 'name', 'length']

function makeEnumerable(members: object): void {
  for (const name of Object.getOwnPropertyNames(members))
    if (!OF_FUNCTIONS.includes(name)) Object.defineProperty(members, name, { enumerable: true })
}

/**
 * Objects of Node's class of the same name are instances of `target`, too; those of a class that a user derives are as
 * ever.
 */
function includeNodes(target: Class, name: NodeClass): void {
  function hasInstance(this: unknown, value: unknown): boolean {
    if (isInstance(this, value)) return true
    return this === target && isNodes(name, value)
  }
  Object.defineProperty(target, Symbol.hasInstance, { value: hasInstance })
}

/** What instanceof says where a class does not say otherwise. */
export const isInstance = (target: unknown, value: unknown): boolean =>
  Function.prototype[Symbol.hasInstance].call(target as () => void, value)

/** Looks at the tag first: it spares most that Node's classes are loaded to ask them. */
export const isNodes = (name: NodeClass, value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === name &&
  value instanceof node()[name]
