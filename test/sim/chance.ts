/**
 * Chance from a seed, in streams that do not disturb each other: each part of a simulation draws from the stream of its
 * own name, so that leaving one event out changes as little as possible of what the others meet.
 */
import type { Random } from '../../node/environment.ts'

export class Chance implements Random {
  #a: number
  #b: number
  #c: number
  #d = 1

  /** The stream of this name: the same labels, the same draws. */
  constructor(...labels: readonly (string | number)[]) {
    const name = labels.join('/')
    this.#a = fold(name, 0x9e3779b9)
    this.#b = fold(name, 0x243f6a88)
    this.#c = fold(name, 0xb7e15162)
    for (let i = 0; i < 12; i++) this.#next()
  }

  /** 0 <= x < 1. */
  float(): number {
    return this.#next() / 2 ** 32
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#next() & 255)
  }

  /** A whole number, both ends included. */
  int(from: number, to: number): number {
    return from + Math.floor(this.float() * (to - from + 1))
  }

  between(from: number, to: number): number {
    return from + this.float() * (to - from)
  }

  yes(probability: number): boolean {
    return this.float() < probability
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError('expected something to pick from, got nothing')
    return list[Math.floor(this.float() * list.length)] as T
  }

  /** Mean `mean`, never more than ten times that. */
  exponential(mean: number): number {
    return Math.min(10 * mean, -mean * Math.log(1 - this.float()))
  }

  shuffled<T>(list: readonly T[]): T[] {
    const items = [...list]
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.int(0, i)
      ;[items[i], items[j]] = [items[j] as T, items[i] as T]
    }
    return items
  }

  /** sfc32: 128 bits of state, good enough that no draw shows in another. */
  #next(): number {
    const t = (((this.#a + this.#b) | 0) + this.#d) | 0
    this.#d = (this.#d + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (this.#c << 21) | (this.#c >>> 11)
    this.#c = (this.#c + t) | 0
    return t >>> 0
  }
}

/** FNV-1a from a given start. */
function fold(text: string, start: number): number {
  let hash = start
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}
