import type { Product } from "../products";

interface CartSummaryProps {
  items: Product[];
}

export function CartSummary({ items }: CartSummaryProps) {
  const total = items.reduce((sum, item) => sum + item.price, 0);
  return <p>Total: {total}</p>;
}
