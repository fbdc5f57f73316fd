--- Asking: from a selection, a diagnostic, a whole file or nothing, to the server's `assist.ask`.

local client = require('assist.client')
local documents = require('assist.documents')
local position = require('assist.position')
local runs = require('assist.runs')

local M = {}

--- More would fill a model's window with noise.
local MAX_DIAGNOSTICS = 20

local prompts = {
  ask = 'Ask Assist: ',
  rewrite = 'Rewrite how? ',
  build = 'Build what? ',
}

---@class assist.Question
---@field intent "ask"|"rewrite"|"fix"|"explain"|"test"|"document"|"build"
---@field prompt? string
---@field bufnr? integer the current one when nil
---@field range? assist.Range the whole file when nil
---@field diagnostics? vim.Diagnostic[]
---@field conversation? string
---@field workspace? boolean about all of the workspace, not about the buffer

--- The conversation that the next question goes on with, by client.
---@type table<integer, string>
local conversations = {}

--- Says what the protocol's error means.
---@param err table
function M.report(err)
  local message = tostring(err.message or err)
  local fix = type(err.data) == 'table' and err.data.fix
  if type(fix) == 'string' and not message:find(fix, 1, true) then
    message = message .. ' ' .. fix
  end
  client.say(message, vim.log.levels.ERROR)
end

local function kind_of(err)
  return type(err.data) == 'table' and err.data.kind or nil
end

--- The protocol's form of diagnostics; the server that made them may have given more than Neovim keeps.
local function diagnostics_to_lsp(bufnr, diagnostics, encoding)
  local list = {}
  for index, diagnostic in ipairs(diagnostics) do
    if index > MAX_DIAGNOSTICS then
      break
    end
    local last_row = diagnostic.end_lnum or diagnostic.lnum
    local range = { diagnostic.lnum, diagnostic.col, last_row, diagnostic.end_col or diagnostic.col }
    list[index] = {
      range = position.range_to_lsp(bufnr, range, encoding),
      message = diagnostic.message,
      severity = diagnostic.severity,
      source = diagnostic.source,
      code = diagnostic.code,
    }
  end
  return list
end

local function send(question, mark)
  local bufnr = question.bufnr
  local run = runs.begin({ bufnr = bufnr, intent = question.intent, prompt = question.prompt, mark = mark })
  local function failed(problem)
    runs.abandon(run)
    client.say(problem, vim.log.levels.ERROR)
  end
  client.attach(bufnr, function(connected, problem)
    if not connected then
      return failed(problem)
    end
    local argument = {
      intent = question.intent,
      prompt = question.prompt,
      conversationId = question.conversation or conversations[connected.id],
    }
    if not question.workspace and documents.is_text(bufnr) then
      local file, why = documents.is_file(bufnr)
      if not file and vim.api.nvim_buf_get_name(bufnr) ~= '' then
        return failed(why)
      end
      documents.flush(bufnr, connected)
      argument.uri = documents.uri(bufnr)
      argument.version = documents.version(bufnr)
      local range = mark and runs.marked(bufnr, mark)
      if range then
        argument.range = position.range_to_lsp(bufnr, range, connected.offset_encoding)
      end
      if question.diagnostics and #question.diagnostics > 0 then
        argument.diagnostics = diagnostics_to_lsp(bufnr, question.diagnostics, connected.offset_encoding)
      end
    end
    client.execute(connected, 'assist.ask', argument, function(err, result)
      if not err and type(result) == 'table' and type(result.runId) == 'string' then
        if type(result.conversationId) == 'string' then
          conversations[connected.id] = result.conversationId
        end
        runs.accepted(run, result.runId, connected.id)
        return
      end
      runs.abandon(run)
      err = err or { message = 'The server gave no answer.' }
      local kind = kind_of(err)
      if kind == 'no_provider' then
        require('assist.provider').missing(err, function()
          M.ask(question)
        end)
      elseif kind == 'prompt_needed' then
        question.prompt = nil
        M.ask(question, true)
      elseif kind == 'not_found' and argument.conversationId and not question.conversation then
        -- the conversation is gone: begin another
        conversations[connected.id] = nil
        M.ask(question)
      else
        M.report(err)
      end
    end, bufnr)
  end)
end

--- Asks the server, and before that the user for the words if there are none and some are needed.
---@param question assist.Question
---@param need_words? boolean
function M.ask(question, need_words)
  local bufnr = question.bufnr
  if not bufnr or bufnr == 0 then
    bufnr = vim.api.nvim_get_current_buf()
  end
  question.bufnr = bufnr
  local text = documents.is_text(bufnr)
  local function mark(group)
    return text and question.range and runs.mark(bufnr, question.range, group) or nil
  end
  need_words = need_words or vim.list_contains({ 'ask', 'rewrite', 'build' }, question.intent)
  if not need_words or question.prompt and vim.trim(question.prompt) ~= '' then
    return send(question, mark('AssistWorking'))
  end
  local selected = mark('AssistTarget')
  vim.ui.input({ prompt = prompts[question.intent] or prompts.ask }, function(words)
    if words and vim.trim(words) ~= '' then
      question.prompt = words
      -- what was selected may have moved while the words were written
      local range = selected and runs.marked(bufnr, selected)
      send(question, range and runs.mark(bufnr, range, 'AssistWorking', selected))
    elseif selected and vim.api.nvim_buf_is_valid(bufnr) then
      vim.api.nvim_buf_del_extmark(bufnr, runs.namespace, selected)
    end
  end)
end

--- The diagnostics in a range, or on the cursor's line, or the errors and warnings of the whole buffer.
---@param bufnr integer
---@param range? assist.Range
---@return vim.Diagnostic[]
---@return assist.Range? range of the lines that they are on, when they are on the cursor's
local function find_diagnostics(bufnr, range)
  local all = vim.diagnostic.get(bufnr)
  local function on(first, last)
    return vim.tbl_filter(function(diagnostic)
      return diagnostic.lnum <= last and (diagnostic.end_lnum or diagnostic.lnum) >= first
    end, all)
  end
  if range then
    return on(range[1], range[4] == 0 and math.max(range[1], range[3] - 1) or range[3])
  end
  if bufnr == vim.api.nvim_get_current_buf() then
    local row = vim.api.nvim_win_get_cursor(0)[1] - 1
    local here = on(row, row)
    if #here > 0 then
      local first, last = row, row
      for _, diagnostic in ipairs(here) do
        first = math.min(first, diagnostic.lnum)
        last = math.max(last, diagnostic.end_lnum or diagnostic.lnum)
      end
      return here, position.lines(bufnr, first + 1, last + 1)
    end
  end
  table.sort(all, function(a, b)
    return a.severity < b.severity
  end)
  return vim.tbl_filter(function(diagnostic)
    return diagnostic.severity <= vim.diagnostic.severity.WARN
  end, all)
end

--- A question with this intent about the current buffer.
---@param intent string
---@param prompt? string
---@param range? assist.Range
function M.about(intent, prompt, range)
  local bufnr = vim.api.nvim_get_current_buf()
  local question = { intent = intent, prompt = prompt, bufnr = bufnr, range = range }
  if intent == 'talk' then
    question = { intent = 'ask', prompt = prompt, bufnr = bufnr, workspace = true }
  end
  if intent == 'fix' then
    local lines
    question.diagnostics, lines = find_diagnostics(bufnr, range)
    question.range = range or lines
  end
  M.ask(question)
end

--- Runs a code action's `assist.ask`: it has everything but, where one is needed, the prompt.
---@param command {arguments?: table[]}
---@param ctx {bufnr?: integer, client_id: integer}
function M.from_action(command, ctx)
  if vim.api.nvim_get_mode().mode:match('^[vV\22]') then
    -- the range is in the command; and in visual mode Neovim lets events wait while it shows a message
    vim.api.nvim_feedkeys(vim.keycode('<Esc>'), 'nx', false)
  end
  local given = command.arguments and command.arguments[1] or {}
  local connected = vim.lsp.get_client_by_id(ctx.client_id)
  local bufnr = given.uri and documents.buffer(given.uri) or ctx.bufnr or vim.api.nvim_get_current_buf()
  local question = { intent = given.intent or 'ask', prompt = given.prompt, bufnr = bufnr }
  question.conversation = given.conversationId
  local function to_range(range)
    local row, column = position.from_lsp(bufnr, range.start, connected.offset_encoding)
    local last_row, last_column = position.from_lsp(bufnr, range['end'], connected.offset_encoding)
    local count = vim.api.nvim_buf_line_count(bufnr)
    if last_row >= count then
      local line = vim.api.nvim_buf_get_lines(bufnr, count - 1, count, false)[1]
      last_row, last_column = count - 1, #line
    end
    return { math.min(row, last_row), column, last_row, last_column }
  end
  if connected and given.range then
    question.range = to_range(given.range)
  end
  if connected and given.diagnostics then
    question.diagnostics = vim.tbl_map(function(diagnostic)
      local range = to_range(diagnostic.range)
      return {
        lnum = range[1],
        col = range[2],
        end_lnum = range[3],
        end_col = range[4],
        message = diagnostic.message,
        severity = diagnostic.severity,
        source = diagnostic.source,
        code = diagnostic.code,
      }
    end, given.diagnostics)
  end
  M.ask(question)
end

--- Begins a new conversation with the next question.
function M.forget()
  conversations = {}
end

return M
