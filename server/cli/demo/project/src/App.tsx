import { useState } from "react";
import { ProductList } from "./components/ProductList";
import { CartSummary } from "./components/CartSummary";
import { products, type Product } from "./products";

export function App() {
  const [cart, setCart] = useState<Product[]>([]);

  return (
    <main>
      <h1>Corner Shop</h1>
      <ProductList products={products} onAdd={(product) => setCart([...cart, product])} />
      <CartSummary items={cart} />
    </main>
  );
}
