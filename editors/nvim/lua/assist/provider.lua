--- When there is no model to ask: says so with the fix, and offers to keep a provider's key. The key goes to `assist auth set` on its
--- standard input, and nowhere else.

local binary = require('assist.binary')
local client = require('assist.client')

local M = {}

--- Providers that take a key, with the names that people know.
local providers = {
  { id = 'anthropic', name = 'Anthropic' },
  { id = 'openai', name = 'OpenAI' },
  { id = 'gemini', name = 'Google Gemini' },
  { id = 'openrouter', name = 'OpenRouter' },
  { id = 'nim', name = 'NVIDIA NIM' },
}
M.providers = providers

--- Asks for a provider's key and keeps it.
---@param id string
---@param after? fun() called once it is kept
function M.save(id, after)
  local command, problem = binary.find()
  if not command then
    return client.say(problem, vim.log.levels.ERROR)
  end
  local ok, key = pcall(vim.fn.inputsecret, ('Key for %s (kept by the assist binary, shown nowhere): '):format(id))
  key = ok and vim.trim(key) or ''
  if key == '' then
    return client.say('No key was given; nothing has changed.')
  end
  vim.list_extend(command, { 'auth', 'set', id })
  vim.system(command, { stdin = key .. '\n', text = true }, function(done)
    local said = vim.trim(done.code == 0 and done.stdout or done.stderr or '')
    if done.code == 0 then
      client.say(said ~= '' and said or ('The key for %s is kept.'):format(id))
      if after then
        vim.schedule(after)
      end
    else
      client.say(said ~= '' and said or 'The key could not be kept.', vim.log.levels.ERROR)
    end
  end)
end

--- Offers to keep a key of a provider that is chosen from a list.
---@param after? fun()
function M.choose(after)
  vim.ui.select(providers, {
    prompt = 'Whose key do you have?',
    kind = 'assist',
    format_item = function(provider)
      return provider.name
    end,
  }, function(provider)
    if provider then
      M.save(provider.id, after)
    end
  end)
end

--- The server has no model: one sentence with the fix, and the offer.
---@param err table
---@param retry fun()
function M.missing(err, retry)
  local fix = type(err.data) == 'table' and type(err.data.fix) == 'string' and err.data.fix or nil
  local sentence = tostring(err.message)
  if fix and not sentence:find(fix, 1, true) then
    sentence = sentence .. ' ' .. fix
  end
  vim.notify(sentence, vim.log.levels.WARN, { title = 'Assist' })
  local stock = debug.getinfo(vim.ui.select, 'S').source:match('vim[/\\]ui%.lua$')
  if stock and #vim.api.nvim_list_uis() == 0 then
    return -- nobody is there to answer
  end
  vim.ui.select({ 'Save a key now', 'Not now' }, { prompt = sentence, kind = 'assist' }, function(_, index)
    if index == 1 then
      M.choose(retry)
    end
  end)
end

return M
