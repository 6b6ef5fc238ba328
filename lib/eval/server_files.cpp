#include "eval/server_files.h"

#include <array>
#include <cstdint>

#include "core/json_text.h"
#include "core/text.h"
#include "eval/answer_text.h"

namespace qslaw {
namespace {

struct ZipEntry {
  std::string name, bytes;
};

uint32_t crc32(const std::string& bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> entries{};
    for (uint32_t i = 0; i < entries.size(); ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit)
        value = (value >> 1) ^ ((value & 1U) != 0 ? 0xedb88320U : 0U);
      entries[i] = value;
    }
    return entries;
  }();
  uint32_t crc = 0xffffffffU;
  for (const char c : bytes)
    crc = table[(crc ^ static_cast<unsigned char>(c)) & 0xffU] ^ (crc >> 8);
  return ~crc;
}

// A record of little-endian numbers.
class Record {
 public:
  Record& u16(uint32_t value) { return number(value, 2); }
  Record& u32(uint32_t value) { return number(value, 4); }
  std::string bytes;

 private:
  Record& number(uint32_t value, int size) {
    for (int i = 0; i < size; ++i)
      bytes += static_cast<char>(value >> (8 * i) & 0xffU);
    return *this;
  }
};

// From the version needed to the length of the extra field: the same in both of a file's headers. Stored
// without compression; dated 1980-01-01, so that equal rows give equal bytes.
std::string shared_header(const ZipEntry& entry) {
  const auto size = static_cast<uint32_t>(entry.bytes.size());
  Record record;
  record.u16(20).u16(0).u16(0).u16(0).u16(33).u32(crc32(entry.bytes)).u32(size).u32(size);
  return record.u16(static_cast<uint32_t>(entry.name.size())).u16(0).bytes;
}

std::string zip(const std::vector<ZipEntry>& entries) {
  std::string files, directory;
  for (const ZipEntry& entry : entries) {
    const auto offset = static_cast<uint32_t>(files.size());
    const std::string shared = shared_header(entry);
    files += Record().u32(0x04034b50).bytes + shared + entry.name + entry.bytes;
    directory += Record().u32(0x02014b50).u16(20).bytes + shared;
    directory += Record().u16(0).u16(0).u16(0).u32(0).u32(offset).bytes + entry.name;
  }
  const auto count = static_cast<uint32_t>(entries.size());
  Record end;
  end.u32(0x06054b50).u16(0).u16(0).u16(count).u16(count).u32(static_cast<uint32_t>(directory.size()));
  end.u32(static_cast<uint32_t>(files.size())).u16(0);
  return files + directory + end.bytes;
}

std::string xml_text(const std::string& text) {
  std::string valid = valid_utf8(text);
  for (const char* noncharacter : {"\xef\xbf\xbe", "\xef\xbf\xbf"})  // U+FFFE and U+FFFF
    valid = replace_all(valid, noncharacter, "");
  std::string out;
  for (const char c : valid) {
    const bool is_control = static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n';
    if (c == '&') out += "&amp;";
    if (c == '<') out += "&lt;";
    if (c == '>') out += "&gt;";
    if (c != '&' && c != '<' && c != '>' && !is_control) out += c;
  }
  return out;
}

// "A" to "Z", "AA" and so on.
std::string column_name(size_t column) {
  const std::string last(1, static_cast<char>('A' + column % 26));
  return column < 26 ? last : column_name(column / 26 - 1) + last;
}

std::string cell_xml(const std::string& text, size_t row, size_t column) {
  if (text.empty()) return "";
  const std::string place = concat("<c r=\"", column_name(column), row, "\"");
  // A number would lose the zeros of "007".
  const bool is_number = text.size() < 16 && text.find_first_not_of("0123456789") == text.npos &&
                         (text[0] != '0' || text.size() == 1);
  if (is_number) return place + "><v>" + text + "</v></c>";
  return place + " t=\"inlineStr\"><is><t xml:space=\"preserve\">" + xml_text(text) + "</t></is></c>";
}

std::string sheet_xml(const std::vector<std::vector<std::string>>& rows) {
  std::string xml =
      "<worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData>";
  for (size_t row = 0; row < rows.size(); ++row) {
    xml += concat("<row r=\"", row + 1, "\">");
    for (size_t column = 0; column < rows[row].size(); ++column)
      xml += cell_xml(rows[row][column], row + 1, column);
    xml += "</row>";
  }
  return xml + "</sheetData></worksheet>";
}

constexpr const char* kHeader = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
constexpr const char* kTypes =
    "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">"
    "<Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>"
    "<Override PartName=\"/xl/workbook.xml\" "
    "ContentType=\"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml\"/>"
    "<Override PartName=\"/xl/worksheets/sheet1.xml\" "
    "ContentType=\"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml\"/></Types>";
constexpr const char* kWorkbook =
    "<workbook xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" "
    "xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\">"
    "<sheets><sheet name=\"Sheet1\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>";

std::string relationship(const std::string& type, const std::string& target) {
  return "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">"
         "<Relationship Id=\"rId1\" "
         "Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/" +
         type + "\" Target=\"" + target + "\"/></Relationships>";
}

}  // namespace

std::string excel_file(const std::vector<std::vector<std::string>>& rows) {
  const std::string header = kHeader;
  return zip({{"[Content_Types].xml", header + kTypes},
              {"_rels/.rels", header + relationship("officeDocument", "xl/workbook.xml")},
              {"xl/workbook.xml", header + kWorkbook},
              {"xl/_rels/workbook.xml.rels", header + relationship("worksheet", "worksheets/sheet1.xml")},
              {"xl/worksheets/sheet1.xml", header + sheet_xml(rows)}});
}

}  // namespace qslaw
