// A text → whether it is easy to guess: repetition, runs along the keyboard, placeholder words.

/** The letters and digits of keyboard rows. */
const ROWS = [
  'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz', '01234567890123456789', 'qwertyuiop', 'qwertzuiop', 'azertyuiop', 'asdfghjkl', 'zxcvbnm',
  'qwertyuiopasdfghjklzxcvbnm', '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p', '1q2w3e4r5t6y7u8i9o0p'
].flatMap(row => [row, [...row].reverse().join('')])

/** The shortest run that counts; shorter ones are accidents. */
const RUN = 4

const WORDS = `
  a access admin all an and any anybody anything api app application are at auth authentication authorization backend bad bar base64 baz be best
  better bit bits byte bytes by can change changed changeit changeme changethis char character characters chars client com company complex complicated
  config cookie default demo dev development digits do domain dont dummy encoded encryption enter env environment ever everybody example express extra
  fake fallback fastify file fill foo for from generate generated goes good guess guessed has hash have hello here hex hidden hide hmac hs256 hs512 i
  id in insecure insert is it json just keep key keys knows least length letters like local localhost long longer lorem enough enough master me min
  minimum more must my mysecret name never new node nobody not number numbers of on one only openssl or our output own pass passphrase passwd password
  phrase placeholder please private prod production project purpose purposes public put rand random randomly real really refresh replace root safe
  sample secret secretkey secrets secure security server service session set sha256 should sign signature signing simple site share some someone
  something string strong super duper temp temporary test testing text than that the this to todo token tokens top tutorial two ultra unique unsafe
  update use user using value very web website will with work world xxx you your 32 64 123 128 256 512 1234 12345 123456 2023 2024 2025 2026
`.trim().split(/\s+/)

/** The share of words or runs that makes a text easy to guess. */
const MOST = 0.8

/** Whether a text repeats a shorter one; the last repetition may be cut off. */
export function repeats (text: string): boolean {
  for (let period = 1; period <= text.length / 2; period++) {
    let at = period
    while (at < text.length && text[at] === text[at - period]) at++
    if (at === text.length) return true
  }
  return false
}

/** Whether a text runs along the alphabet, the digits, a keyboard row or consecutive character codes. */
export function runs (text: string): boolean {
  return isStep(text) || covered(lettersOf(text), runAt) >= MOST
}

/** Whether a text consists of the words that placeholders for secrets are made of. */
export function isPlaceholder (text: string): boolean {
  return covered(lettersOf(text), wordAt) >= MOST
}

function isStep (text: string): boolean {
  const step = text.charCodeAt(1) - text.charCodeAt(0)
  return Math.abs(step) === 1 && [...text].every((_, i) => i === 0 || text.charCodeAt(i) - text.charCodeAt(i - 1) === step)
}

/** Removes spaces and ASCII punctuation. */
function lettersOf (text: string): string {
  return text.toLowerCase().replaceAll(/[ -/:-@[-`{-~]/g, '')
}

/** The largest part of a text that non-overlapping pieces can cover. */
function covered (text: string, piecesAt: (text: string, at: number) => number[]): number {
  const best = new Array<number>(text.length + 1).fill(0)
  for (let at = text.length - 1; at >= 0; at--) {
    best[at] = Math.max(best[at + 1]!, ...piecesAt(text, at).map(length => length + best[at + length]!))
  }
  return text.length === 0 ? 0 : best[0]! / text.length
}

/** The lengths of the words that begin at a position. */
function wordAt (text: string, at: number): number[] {
  return WORDS.filter(word => text.startsWith(word, at)).map(({ length }) => length)
}

/** The lengths of the runs that begin at a position. */
function runAt (text: string, at: number): number[] {
  let length = 0
  while (at + length < text.length && ROWS.some(row => row.includes(text.slice(at, at + length + 1)))) length++
  return Array.from({ length: Math.max(0, length - RUN + 1) }, (_, i) => RUN + i)
}
