#include "eval/vqa_scoring.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <string_view>

#include "core/error.h"
#include "core/whitespace.h"
#include "eval/answer_text.h"

namespace qslaw {
namespace {

// Each word and, behind it, how annotators wrote it without some apostrophe; words are in lower case here.
constexpr const char* kContractions =
    "'ow's'at ow's'at 'ows'at 'ow'sat; 'twas twas; ain't aint; aren't arent; can't cant; "
    "could've couldve; couldn't couldnt; couldn't've couldn'tve couldnt've; didn't didnt; "
    "doesn't doesnt; don't dont; hadn't hadnt; hadn't've hadnt've hadn'tve; hasn't hasnt; "
    "haven't havent; he'd hed; he'd've hed've he'dve; he's hes; how'd howd; how'll howll; how's hows; "
    "isn't isnt; it'd itd; it'd've itd've it'dve; it'll itll; ma'am maam; might've mightve; "
    "mightn't mightnt; mightn't've mightnt've mightn'tve; must've mustve; mustn't mustnt; "
    "needn't neednt; not've notve; o'clock oclock; oughtn't oughtnt; shan't shant; "
    "she'd've shed've she'dve; should've shouldve; shouldn't shouldnt; "
    "shouldn't've shouldnt've shouldn'tve; somebody'd've somebodyd've somebody'dve; "
    "somebody'll somebodyll; somebody's somebodys; somebodyd somebody'd; someone'd someoned; "
    "someone'd've someoned've someone'dve; someone'll someonell; someone's someones; "
    "something'd somethingd; something'd've somethingd've something'dve; something'll somethingll; "
    "that's thats; there'd thered; there'd've thered've there'dve; there're therere; there's theres; "
    "they'd theyd; they'd've theyd've they'dve; they'll theyll; they're theyre; they've theyve; "
    "wasn't wasnt; we'd've wed've we'dve; we've weve; weren't werent; what'll whatll; what're whatre; "
    "what's whats; what've whatve; when's whens; where'd whered; where's wheres; where've whereve; "
    "who'd whod; who'd've whod've who'dve; who'll wholl; who's whos; who've whove; why'll whyll; "
    "why're whyre; why's whys; won't wont; would've wouldve; wouldn't wouldnt; "
    "wouldn't've wouldnt've wouldn'tve; y'all yall; y'all'd've yall'd've y'alld've y'all'dve; "
    "y'all'll yall'll y'allll; you'd youd; you'd've youd've you'dve; you'll youll; you're youre; "
    "you've youve; ";

const std::map<std::string, std::string>& contractions() {
  static const std::map<std::string, std::string> table = [] {
    std::map<std::string, std::string> words;
    std::istringstream in(kContractions);
    for (std::string group; std::getline(in, group, ';');) {
      const std::vector<std::string> forms = split_words(group);
      for (size_t i = 1; i < forms.size(); ++i)
        words[forms[i]] = forms[0];
    }
    return words;
  }();
  return table;
}

std::string number_as_digits(const std::string& word) {
  static const std::map<std::string, std::string> digits = {
      {"none", "0"}, {"zero", "0"}, {"one", "1"},   {"two", "2"},   {"three", "3"}, {"four", "4"},
      {"five", "5"}, {"six", "6"},  {"seven", "7"}, {"eight", "8"}, {"nine", "9"},  {"ten", "10"}};
  const auto found = digits.find(word);
  return found == digits.end() ? word : found->second;
}

bool is_digit(const std::string& text, size_t at) {
  return at < text.size() && text[at] >= '0' && text[at] <= '9';
}

bool has_comma_in_number(const std::string& text) {
  for (size_t at = text.find(','); at != text.npos; at = text.find(',', at + 1)) {
    if (at > 0 && is_digit(text, at - 1) && is_digit(text, at + 1)) return true;
  }
  return false;
}

// Periods that no digit follows; the evaluation's call removes 32 at most.
std::string without_periods(const std::string& text) {
  constexpr int kMost = 32;
  std::string out;
  int removed = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool goes = text[i] == '.' && !is_digit(text, i + 1) && removed < kMost;
    removed += goes;
    if (!goes) out += text[i];
  }
  return out;
}

std::string without_punctuation(const std::string& text) {
  constexpr std::string_view kPunctuation = ";/[]\"{}()=+\\_-><@`,?!";
  const bool has_number = has_comma_in_number(text);
  std::string out = text;
  for (const char mark : kPunctuation) {
    const std::string sign(1, mark);
    const bool by_space = text.find(sign + " ") != text.npos || text.find(" " + sign) != text.npos;
    out = replace_all(out, sign, by_space || has_number ? "" : " ");
  }
  return without_periods(out);
}

std::string with_plain_words(const std::string& text) {
  static const std::set<std::string> articles = {"a", "an", "the"};
  std::string out;
  for (const std::string& raw : split_words(lower_case(text))) {
    std::string word = number_as_digits(raw);
    if (articles.count(word) > 0) continue;
    const auto contraction = contractions().find(word);
    if (contraction != contractions().end()) word = contraction->second;
    out += (out.empty() ? "" : " ") + word;
  }
  return out;
}

std::string on_one_line(const std::string& text) {
  const std::string line = replace_all(replace_all(text, "\n", " "), "\t", " ");
  return std::string(strip(line));
}

Judgment judged(const std::string& parsed, double score) {
  return {parsed, score, !parsed.empty()};
}

}  // namespace

std::string vqa_normalized(const std::string& text) {
  return with_plain_words(without_punctuation(on_one_line(text)));
}

std::string evalai_normalized(const std::string& text) {
  const std::string bare = replace_all(replace_all(lower_case(text), ",", ""), "?", "");
  const std::string apart = replace_all(bare, "'s", " 's");
  return vqa_normalized(std::string(strip(apart)));
}

double leave_one_out_accuracy(const std::string& answer, const std::vector<std::string>& references) {
  QSLAW_CHECK(!references.empty());
  const auto matches = static_cast<double>(std::count(references.begin(), references.end(), answer));
  const auto count = static_cast<double>(references.size());
  const double of_match = std::min(1.0, std::max(0.0, matches - 1.0) / 3.0);
  const double of_other = std::min(1.0, matches / 3.0);
  return (matches * of_match + (count - matches) * of_other) / count;
}

double vqa_accuracy(const std::string& text, const std::vector<std::string>& references) {
  std::vector<std::string> lines;
  for (const std::string& reference : references)
    lines.push_back(on_one_line(reference));
  const std::string line = on_one_line(text);
  const std::set<std::string> different(lines.begin(), lines.end());
  if (different.size() <= 1) return leave_one_out_accuracy(line, lines);
  for (std::string& reference : lines)
    reference = vqa_normalized(reference);
  return leave_one_out_accuracy(vqa_normalized(line), lines);
}

Judgment judge_textvqa(const BenchmarkQuestion& question, const std::string& text) {
  const std::string parsed = evalai_normalized(text);
  if (question.answers.empty()) return judged(parsed, 0.0);
  std::vector<std::string> references;
  for (const std::string& answer : question.answers)
    references.push_back(evalai_normalized(answer));
  return judged(parsed, leave_one_out_accuracy(parsed, references));
}

Judgment judge_vqav2(const BenchmarkQuestion& question, const std::string& text) {
  const std::string parsed = evalai_normalized(text);
  return judged(parsed, question.answers.empty() ? 0.0 : vqa_accuracy(parsed, question.answers));
}

Judgment judge_vizwiz(const BenchmarkQuestion& question, const std::string& text) {
  const std::string parsed = evalai_normalized(text);
  return judged(parsed, question.answers.empty()
                            ? 0.0
                            : leave_one_out_accuracy(vqa_normalized(parsed), question.answers));
}

Judgment judge_gqa(const BenchmarkQuestion& question, const std::string& text) {
  const size_t end = text.find_last_not_of('.');
  const std::string parsed = lower_case(end == text.npos ? "" : text.substr(0, end + 1));
  return judged(parsed, !question.answers.empty() && parsed == question.answers[0] ? 1.0 : 0.0);
}

}  // namespace qslaw
