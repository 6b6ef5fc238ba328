#include "report/samples.h"

namespace qslaw {
namespace {

Html html_picture(const PictureSample& sample) {
  if (sample.data_uri.empty()) {
    const char* why =
        sample.has_picture ? "Picture not shown: over 1 MiB, or of another kind" : "Picture not found";
    return html_element("p", "absent", html_text(why));
  }
  return {"<img alt=\"" + escape_markup("Picture of sample " + sample.id) + "\" src=\"" + sample.data_uri +
          "\"/>"};
}

Html html_sample(const PictureSample& sample) {
  Html verdict = html_text(sample.correct ? "\xE2\x9C\x93 Right " : "\xE2\x9C\x97 Wrong ");
  verdict += html_element("span", "id", html_text(sample.benchmark + " " + sample.id));
  Html answers = html_element("dt", "", html_text("Model"));
  answers += html_element("dd", "", html_text(sample.text.empty() ? "(nothing)" : sample.text));
  answers += html_element("dt", "", html_text("Read as"));
  answers += html_element("dd", "", html_text(sample.parsed.empty() ? "no answer found" : sample.parsed));
  answers += html_element("dt", "", html_text("Correct"));
  answers += html_element("dd", "", html_text(sample.answer));
  Html body = html_element("p", "verdict", verdict);
  body += html_element("p", "question", html_text(sample.question));
  body += html_element("dl", "", answers);
  Html out = html_picture(sample);
  out += html_element("div", "body", body);
  return html_element("article", sample.correct ? "sample right" : "sample wrong", out);
}

}  // namespace

Html html_samples(const std::vector<PictureSample>& samples) {
  Html out;
  for (const PictureSample& sample : samples)
    out += html_sample(sample);
  return html_element("div", "samples", out);
}

}  // namespace qslaw
