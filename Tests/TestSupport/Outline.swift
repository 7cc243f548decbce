import Foundation
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// The elements of a well-formed document, in the order of their start.
package final class Outline: NSObject, XMLParserDelegate {
  package struct Element {
    package let name: String
    package let attributes: [String: String]
    package internal(set) var text = ""
  }

  package private(set) var elements: [Element] = []
  private var open: [Int] = []

  /// Parses `document`; an error of form fails the test.
  package init(_ document: String) throws {
    super.init()
    let parser = XMLParser(data: Data(document.utf8))
    parser.delegate = self
    let isWellFormed = parser.parse()
    try #require(isWellFormed, "line \(parser.lineNumber): \(parser.parserError.map { "\($0)" } ?? "")")
  }

  package func count(_ name: String) -> Int { elements.count { $0.name == name } }
  package func values(_ attribute: String) -> [String] { elements.compactMap { $0.attributes[attribute] } }
  package func text(_ name: String) -> [String] { elements.filter { $0.name == name }.map(\.text) }

  package func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String]
  ) {
    open.append(elements.count)
    elements.append(Element(name: name, attributes: attributes))
  }

  package func parser(_ parser: XMLParser, foundCharacters string: String) {
    for index in open { elements[index].text += string }
  }

  package func parser(
    _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
  ) {
    open.removeLast()
  }
}
