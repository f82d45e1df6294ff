#include "judge/prefilter.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <re2/re2.h>

namespace
{

const int max_depth = 20;            // of groups that call groups
const size_t max_relaxed = 1 << 20;  // bytes; a longer pattern is not relaxed
const int64_t max_memory = 64 << 20; // of an automaton; one that outgrows it starts anew

} // namespace

struct prefilter {
    std::map<std::string, std::string> words;
    std::vector<std::unique_ptr<RE2>> patterns; // null: may always match

    void relax(const std::string &pattern, int depth, std::string &out) const;
};

namespace
{

// Where the escape, class or single character at p[i] ends.
size_t atom_end(const std::string &p, size_t i)
{
    if (p[i] == '\\') {
        return i + 2;
    }
    if (p[i] != '[') {
        return i + 1;
    }
    i += p.compare(i, 2, "[^") == 0 ? 2 : 1;
    i += i < p.size() && p[i] == ']' ? 1 : 0;
    while (i < p.size() && p[i] != ']') {
        i += p[i] == '\\' ? 2 : 1;
    }
    return i + 1;
}

// Where the group that opens at p[i] ends.
size_t group_end(const std::string &p, size_t i)
{
    int depth = 0;
    while (i < p.size()) {
        depth += p[i] == '(' ? 1 : p[i] == ')' ? -1 : 0;
        i = atom_end(p, i);
        if (depth == 0) {
            break;
        }
    }
    return i;
}

bool starts(const std::string &p, size_t i, const char *with)
{
    return p.compare(i, std::char_traits<char>::length(with), with) == 0;
}

} // namespace

// Adds to out, and stops beyond max_relaxed.
void prefilter::relax(const std::string &pattern, int depth, std::string &out) const
{
    for (size_t i = 0; i < pattern.size() && out.size() <= max_relaxed;) {
        if (starts(pattern, i, "(?=") || starts(pattern, i, "(?!") || starts(pattern, i, "(?<=") ||
            starts(pattern, i, "(?<!")) {
            i = group_end(pattern, i);
        } else if (starts(pattern, i, "(?&")) {
            size_t end = group_end(pattern, i);
            auto word = words.find(pattern.substr(i + 3, end - i - 4));
            if (word != words.end() && depth < max_depth) {
                out += "(?:";
                relax(word->second, depth + 1, out);
                out += ")";
            } else { // RE2 refuses it
                out += pattern.substr(i, end - i);
            }
            i = end;
        } else {
            size_t end = atom_end(pattern, i);
            out += pattern.substr(i, end - i);
            i = end;
        }
    }
}

struct prefilter *prefilter_new(void)
{
    return new prefilter;
}

void prefilter_free(struct prefilter *p)
{
    delete p;
}

void prefilter_define(struct prefilter *p, const char *name, const char *pattern)
{
    p->words[name] = pattern;
}

void prefilter_add(struct prefilter *p, const char *pattern)
{
    RE2::Options options;
    options.set_log_errors(false);
    options.set_never_capture(true);
    options.set_max_mem(max_memory);
    std::string text;
    p->relax(pattern, 0, text);
    auto relaxed = text.size() <= max_relaxed ? std::make_unique<RE2>(text, options) : nullptr;
    p->patterns.push_back(relaxed && relaxed->ok() ? std::move(relaxed) : nullptr);
}

bool prefilter_may_match(const struct prefilter *p, size_t i, const char *text, size_t n)
{
    return !p->patterns[i] || RE2::PartialMatch(re2::StringPiece(text, n), *p->patterns[i]);
}
