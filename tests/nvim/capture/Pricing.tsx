import { useState } from "react";
import { plans, type Plan } from "./plans";

type PlanCardProps = {
  plan: Plan;
  onChoose: (plan: Plan) => void;
};

export function PlanCard({ plan, onChoose }: PlanCardProps) {
  return (
    <article className="plan">
      <h3>{plan.name}</h3>
      <p>{plan.monthly} € a month</p>
      <button onClick={() => onChoose(plan)}>Choose</button>
    </article>
  );
}

export function Pricing() {
  const [chosen, setChosen] = useState<Plan | null>(null);

  return (
    <section>
      {plans.map((plan) => (
        <PlanCard key={plan.name} plan={plan} onChoose={setChosen} />
      ))}
      {chosen && <p>You chose {chosen.name}.</p>}
    </section>
  );
}
