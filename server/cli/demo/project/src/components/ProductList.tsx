import type { Product } from "../products";

interface ProductListProps {
  products: Product[];
  onAdd: (product: Product) => void;
}

export function ProductList({ products, onAdd }: ProductListProps) {
  return (
    <ul>
      {products.map((product) => (
        <li key={product.id}>
          {product.name} <button onClick={() => onAdd(product)}>Add</button>
        </li>
      ))}
    </ul>
  );
}
