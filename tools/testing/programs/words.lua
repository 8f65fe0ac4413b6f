-- SPDX-License-Identifier: GPL-2.0-only
-- Tables, strings and closures, made and dropped; prints what came of them.
local seed, counts, longest = 1, {}, ""

local function random(n)
	seed = (seed * 1103515245 + 12345) % 2147483648
	return seed % n
end

for i = 1, 30000 do
	local word = {}
	for j = 1, 3 + random(10) do
		word[j] = string.char(97 + random(26))
	end
	word = table.concat(word)
	local first = word:sub(1, 2)
	counts[first] = counts[first] or setmetatable({ n = 0, words = {} }, {})
	counts[first].n = counts[first].n + 1
	counts[first].words[1 + i % 50] = word:rep(1 + i % 7, "-")
	if i % 5000 == 0 then
		collectgarbage()
	end
	if #word > #longest then
		longest = word
	end
end

local order = {}
for first in pairs(counts) do
	order[#order + 1] = first
end
table.sort(order, function(a, b)
	return counts[a].n > counts[b].n or counts[a].n == counts[b].n and a < b
end)
local length = 0
for _, entry in pairs(counts) do
	for _, word in pairs(entry.words) do
		length = length + #word
	end
end
print(longest, #order, order[1], counts[order[1]].n, length)
