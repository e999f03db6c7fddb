/** JSON Pointer (RFC 6901), the text form of a path, in messages and in the HTTP face. The wire never holds one. */
import type { Path } from './value.ts'

/** `['a/b', 'c~d']` is `/a~1b/c~0d`; the whole document is the empty text. */
export function pointerOf(path: Path): string {
  return path.map((segment) => `/${segment.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/** The path a pointer names; undefined when it is none: no leading slash, or a `~` that is neither `~0` nor `~1`. */
export function pathOf(pointer: string): Path | undefined {
  if (pointer === '') return []
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer)) return undefined
  return pointer
    .slice(1)
    .split('/')
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
}
