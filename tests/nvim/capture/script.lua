-- What the simulator's model says in the pictures.

local function component(name, path, code)
  local exports = code:match('^export ') and (' exports=' .. name) or ''
  local form = '/// COMPONENT_START: %s path="%s"%s id=@@id@@ ///\n%s/// COMPONENT_END id=@@id@@ ///\n'
  return form:format(name, path, exports, code)
end

local sentinel = '// --- VIBECODER_COMPLETE ---\n'

local card = [[
export function PlanCard({ plan, yearly, onChoose }: PlanCardProps) {
  const price = yearly ? plan.yearly : plan.monthly;

  return (
    <article className="plan">
      <h3>{plan.name}</h3>
      <p>
        {price} € {yearly ? "a year" : "a month"}
      </p>
      <button onClick={() => onChoose(plan)}>Choose</button>
    </article>
  );
}
]]

local pricing = [[
export function Pricing() {
  const [chosen, setChosen] = useState<Plan | null>(null);
  const [yearly, setYearly] = useState(false);

  return (
    <section>
      <label>
        <input type="checkbox" checked={yearly} onChange={() => setYearly(!yearly)} />
        Pay by the year
      </label>
      {plans.map((plan) => (
        <PlanCard key={plan.name} plan={plan} yearly={yearly} onChoose={setChosen} />
      ))}
      {chosen && <p>You chose {chosen.name}.</p>}
    </section>
  );
}
]]

local props = [[
type PlanCardProps = {
  plan: Plan;
  yearly: boolean;
  onChoose: (plan: Plan) => void;
};
]]

local toggle = [[
export function BillingToggle({ yearly, onChange }: BillingToggleProps) {
  return (
    <label>
      <input type="checkbox" checked={yearly} onChange={onChange} />
      Pay by the year
    </label>
  );
}
]]

local explanation = [[
`Pricing` keeps **one** piece of state, the plan that was chosen.

1. It draws a `PlanCard` for each plan.
2. A card calls `onChoose` with its own plan, and `setChosen` keeps it.
3. Once there is one, the line below the cards names it.

Nothing is sent anywhere yet: the choice is gone when the page is left.
]]

local path = 'src/Pricing.tsx'
local change = 'I will let the cards show either price and add a switch above them.\n\n'
  .. component('PlanCardProps', path, props)
  .. component('PlanCard', path, card)
  .. component('Pricing', path, pricing)
  .. sentinel

local plan = {
  summary = 'Visitors see at a glance why Team is worth it.',
  steps = {
    { title = 'Mark the Team plan', why = 'it is the one that fits most', files = { 'src/Pricing.tsx', 'src/plans.ts' } },
    { title = 'Show what a year saves', files = { 'src/Savings.tsx', 'src/Pricing.tsx' }, needs = { 1 } },
    { title = 'Try a 30-day trial', why = 'the riskiest part', files = { 'src/plans.ts' } },
  },
}

return {
  rules = {
    { when = { system = 'worth remembering' }, reply = { text = '{"memories": []}' } },
    {
      when = { last_user = 'More people shall take' },
      reply = { text = '', tools = { { name = 'propose_plan', arguments = vim.json.encode(plan) } } },
    },
    {
      when = { last_user = 'a file of its own' },
      reply = { text = component('BillingToggle', 'src/BillingToggle.tsx', toggle) .. sentinel },
    },
    { when = { last_user = 'Explain' }, reply = { text = explanation, delay_ms = 2 } },
    {
      when = { last_user = 'Let people pay by the year' },
      reply = {
        text = change,
        delta_chars = 6,
        delay_ms = 4,
        -- a model that reaches its limit in the middle of a component
        cut = { at = { before = 'checked={yearly}' }, ending = 'length_stop' },
      },
    },
    {
      when = { messages = 'Let people pay by the year' },
      reply = { continue_of = change, manner = 'exact', delay_ms = 4, stall = { at = { after = 'Pay by the year' } } },
    },
  },
}
