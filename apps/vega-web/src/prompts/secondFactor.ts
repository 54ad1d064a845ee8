// What a human typed as OTP or PIN: exactly six digits. The same rule as `SecondFactor::read` in the domain, tested with the
// same table. What is refused here is sent nowhere, and is no try; the refusal repeats none of it.

type Read = { digits: string; problem?: never } | { problem: string; digits?: never };

const DIGITS = 6;

// Marks of byte order and of writing direction, and what has no width.
const INVISIBLE =
  /\u034f|[\ufe00-\ufe0f]|[\u00ad\u061c\u180e\ufeff\u200b-\u200f\u202a-\u202e\u2060-\u206f\u{e0000}-\u{e007f}]/gu;
const DOUBLE = '"“”„‟«»″＂';
const SINGLE = "'‘’‚‛‹›′＇`´";
const BLANK_OR_DASH = /[\s\u0085\-\u2010-\u2015\u2212\ufe63\uff0d]/u;

// Each script's zero: ASCII, Arabic, Urdu, Devanagari, Bengali, Gurmukhi, Gujarati, Odia, Tamil, Telugu, Kannada,
// Malayalam, Meitei, Ol Chiki, full width.
const ZEROS = [
  0x30, 0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xabf0, 0x1c50,
  0xff10,
];

export function readSecondFactor(word: "OTP" | "PIN", typed: string): Read {
  const refused = (what: string): Read => ({
    problem: `${word} must be six digits, and this ${what}. It was not sent to Upstox and is no try.`,
  });
  let digits = "";
  for (const sign of tidied(typed)) {
    if (BLANK_OR_DASH.test(sign)) continue;
    const digit = digitOf(sign);
    if (digit === undefined) {
      return refused(/\p{L}/u.test(sign) ? "holds a letter" : "holds another sign");
    }
    digits += String(digit);
  }
  if (digits.length === DIGITS) return { digits };
  return refused(digits === "" ? "has none" : `has ${String(digits.length)}`);
}

function tidied(text: string): string {
  let rest = [...text.replace(INVISIBLE, "").trim()];
  while (isQuoted(rest)) rest = [...rest.slice(1, -1).join("").trim()];
  return rest.join("");
}

function isQuoted(signs: string[]): boolean {
  const [first, last] = [signs[0], signs.at(-1)];
  if (first === undefined || last === undefined || signs.length < 2) return false;
  return [DOUBLE, SINGLE].some((quotes) => quotes.includes(first) && quotes.includes(last));
}

function digitOf(sign: string): number | undefined {
  const code = sign.codePointAt(0) ?? 0;
  const zero = ZEROS.find((zero) => code >= zero && code < zero + 10);
  return zero === undefined ? undefined : code - zero;
}
