/** Whether a text has every word of a question, in any case. */
export function answers(text: string, question: string): boolean {
  const words = question.toLowerCase().split(/\s+/);
  const there = text.toLowerCase();
  return words.every((word) => there.includes(word));
}
