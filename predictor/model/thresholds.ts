/**
 * Slowdowns whose exceeding the network predicts: dense where the usual allowance lies, wide apart where it hardly
 * matters.
 */
export const THRESHOLDS: readonly number[] = [
  1.003, 1.01, 1.02, 1.03, 1.04, 1.05, 1.06, 1.08, 1.1, 1.15, 1.25, 1.5, 2, 3, 5, 8,
];
