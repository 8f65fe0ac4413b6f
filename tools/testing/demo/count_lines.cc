// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts equal lines. It is here to be compiled, not to be run: as C++ goes it
 * is short, but what it includes makes the compiler work.
 */
#include <algorithm>
#include <iostream>
#include <map>
#include <string>
#include <vector>

int main()
{
	std::map<std::string, std::vector<int>> lines;
	std::string line;
	int number = 0;

	while (std::getline(std::cin, line))
		lines[line].push_back(++number);
	for (auto &[text, where] : lines) {
		std::sort(where.begin(), where.end());
		std::cout << where.size() << ' ' << text << '\n';
	}
}
