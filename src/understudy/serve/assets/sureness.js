// How sure an answer is, as validation rows say: what `understudy.artifact.confidence` does, of one row.
const SMALLEST = 1e-12;

export class Sureness {
  constructor(found, task) { Object.assign(this, found, {low: task.low ?? -Infinity, high: task.high ?? Infinity}); }

  /** Probabilities, their logarithms divided by the temperature. */
  calibrated(shares) {
    if (this.temperature === 1) return shares;
    const logits = shares.map(each => Math.log(Math.max(each, SMALLEST)) / this.temperature), most = Math.max(...logits);
    const powers = logits.map(each => Math.exp(each - most)), sum = powers.reduce((a, b) => a + b);
    return powers.map(each => each / sum);
  }

  /** The score that the truths of that share of rows like the validation rows do not exceed. */
  bound(coverage) {
    const place = Math.ceil(Number(((this.rows + 1) * coverage).toFixed(6)));
    if (place > this.rows)
      throw new Error(`coverage ${coverage} needs more than the ${this.rows} validation rows that there were: ask for less`);
    const kept = this.scores.length;
    return this.scores[Math.min(kept - 1, Math.ceil(place * kept / this.rows) - 1)];
  }

  /** The ends of an interval about a number. */
  interval(value, coverage) {
    const edges = this.edges.filter(edge => edge < value).length, reach = this.bound(coverage) * this.spread[edges];
    return [value - reach, value + reach].map(end => Math.min(this.high, Math.max(this.low, end)));
  }

  /** Which classes may be the truth; the likeliest always. */
  set(shares, coverage) {
    const bound = this.bound(coverage), best = shares.indexOf(Math.max(...shares));
    return shares.map((share, place) => place === best || 1 - share <= bound);
  }
}
