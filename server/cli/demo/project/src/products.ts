export interface Product {
  id: string;
  name: string;
  /** In cents. */
  price: number;
}

export const products: Product[] = [
  { id: "tea", name: "Green tea", price: 450 },
  { id: "mug", name: "Blue mug", price: 1290 },
  { id: "jam", name: "Plum jam", price: 520 },
];
