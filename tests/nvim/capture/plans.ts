export type Plan = { name: string; monthly: number; yearly: number };

export const plans: Plan[] = [
  { name: "Solo", monthly: 9, yearly: 90 },
  { name: "Team", monthly: 29, yearly: 290 },
];
