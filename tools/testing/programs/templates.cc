// SPDX-License-Identifier: GPL-2.0-only
// Templates of C++20, for the compiler to expand; what it makes of them uses operator new.
#include <algorithm>
#include <future>
#include <iostream>
#include <map>
#include <memory_resource>
#include <numeric>
#include <ranges>
#include <regex>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

template <std::size_t... I>
auto squares(std::index_sequence<I...>)
{
	return std::make_tuple((I * I)...);
}

template <typename T>
concept Counted = requires(T t) { t.size(); };

template <Counted... T>
std::size_t sizes(const T &...t)
{
	return (t.size() + ...);
}

struct alignas(128) Aligned {
	std::variant<int, std::string> value;
};

static std::size_t work(int seed)
{
	std::unordered_map<std::string, std::vector<int>> table;

	for (int i = 0; i < 20000; i++)
		table["key" + std::to_string(i * seed % 997)].push_back(i);
	std::map<std::string, std::vector<int>> sorted(table.begin(), table.end());
	return sizes(table, sorted, sorted.begin()->second);
}

int main()
{
	std::vector<std::future<std::size_t>> futures;
	std::vector<std::unique_ptr<Aligned>> aligned;
	std::pmr::unsynchronized_pool_resource pool;
	std::pmr::vector<std::pmr::string> strings(&pool);

	for (int i = 1; i <= 8; i++)
		futures.push_back(std::async(std::launch::async, work, i));
	for (auto &future : futures)
		std::cout << future.get() << '\n';
	for (int i = 0; i < 1000; i++) {
		aligned.push_back(std::make_unique<Aligned>(Aligned{ std::string(i, 'x') }));
		if (reinterpret_cast<std::uintptr_t>(aligned.back().get()) % alignof(Aligned))
			std::cout << "not aligned\n";
		strings.emplace_back(std::string(i, 'y').c_str());
	}
	auto even = std::views::iota(1, 1000) | std::views::filter([](int i) { return i % 2 == 0; }) |
		    std::views::transform([](int i) { return std::to_string(i); });
	std::string joined;
	for (const auto &word : even)
		joined += word + " ";
	std::cout << std::regex_replace(joined, std::regex("([0-9])([0-9])"), "$2$1").size() << ' '
		  << std::get<20>(squares(std::make_index_sequence<200>())) << ' '
		  << sizes(joined, strings) << '\n';
	try {
		throw std::runtime_error(joined.substr(0, 10));
	} catch (const std::exception &e) {
		std::cout << e.what() << '\n';
	}
}
