"""What the report says to people, in Chinese and English. Facts come from findings; no check reads this module.

A sentence claims no more than its check found. Values are put in by `render`, quoted and escaped there.
"""

from collections.abc import Mapping
from typing import NamedTuple

from evidence_vault.verify.report import Status, Verdict


class Text(NamedTuple):
    """One sentence in both languages."""

    zh: str
    en: str

    def lang(self, lang: str) -> str:
        """Return the sentence in `lang`, zh or en."""
        return self.zh if lang == "zh" else self.en


STATUS: Mapping[Status, Text] = {
    Status.PASSED: Text("通过", "PASSED"),
    Status.FAILED: Text("不符", "FAILED"),
    Status.INDETERMINATE: Text("不能确定", "INDETERMINATE"),
    Status.NOT_PRESENT: Text("无此材料", "NOT PRESENT"),
    Status.REMARK: Text("说明", "REMARK"),
}

VERDICT: Mapping[Verdict, Text] = {
    Verdict.TOTAL_PASSED: Text(
        "自{record}起至{cut}止未发现改动；此后未查；不涉及此前内容是否真实。",
        "No change found from {record} to {cut}; not checked after; this says nothing about whether the "
        "content was true before.",
    ),
    Verdict.DEVELOPMENT_PASSED: Text(
        "仅为开发环境证据，不具证明效力：自{record}起至{cut}止未发现改动；此后未查；不涉及此前内容是否真实。",
        "Development evidence only, it proves nothing: no change found from {record} to {cut}; not checked "
        "after; this says nothing about whether the content was true before.",
    ),
    Verdict.INDETERMINATE: Text(
        "现有材料不足以确认，也不表示被篡改。",
        "Cannot be confirmed with the material at hand; this does not mean it was altered.",
    ),
    Verdict.TOTAL_FAILED: Text("核验不一致：{what}。", "Does not match: {what}."),
    Verdict.UNREADABLE: Text("无法读取：{what}。", "Cannot be read: {what}."),
}

ROW: Mapping[int, Text] = {
    1: Text("格式与完整", "Form: complete and readable"),
    2: Text("内容", "Content: byte for byte what was deposited"),
    3: Text("事件链", "Events: no gap, no change, nothing cut off up to the export"),
    4: Text("日志", "Log: recorded by this log, in this order"),
    5: Text("可信时间戳", "RFC 3161 tokens: existed no later than"),
    6: Text("区块链锚定", "Anchors: consistent with a block"),
    7: Text("区块确认", "Blocks: on the chain and final"),
    8: Text("时间", "Times: each event between outside times"),
    9: Text("证明书", "Attestations"),
    10: Text("算法", "Algorithms: adequate at the given time"),
    11: Text("平台情况", "Platform: statement and incidents"),
}

ROW_NAME: Mapping[int, Text] = {
    1: Text("格式", "form"),
    2: Text("内容", "content"),
    3: Text("事件链", "events"),
    4: Text("日志", "log"),
    5: Text("时间戳", "time-stamps"),
    6: Text("锚定", "anchors"),
    7: Text("区块", "blocks"),
    8: Text("时间", "times"),
    9: Text("证明书", "attestations"),
    10: Text("算法", "algorithms"),
    11: Text("平台", "platform"),
}
"""A row in one word, for the verdict sentence."""

CLAUSE: Mapping[int, str] = {
    1: "RFC 8493 §3",
    2: "SPC Online Litigation Rules 2021 art. 16",
    3: "SPC Online Litigation Rules 2021 art. 16",
    4: "RFC 9162 §2.1.3, §2.1.4",
    5: "RFC 3161 §2.4.2; ETSI EN 319 102-1 §5.4",
    6: "EIP-2718, Ethereum receipts trie",
    7: "Ethereum finality",
    8: "ETSI EN 319 102-1 §5.6.2",
    9: "RFC 5652 §5.4; Civil Evidence Provisions 2019 art. 94",
    10: "ETSI EN 319 102-1 §5.2.8",
    11: "SPC Online Litigation Rules 2021 art. 17",
}

SINCE_ANCHORING: Mapping[int, None] = dict.fromkeys(range(1, 9))
"""Rows of the block *since anchoring*; the others, and what is never proved, belong to *before anchoring*."""

QUALIFICATION: Mapping[str, Text] = {
    "qualified": Text("依{issued}的清单{list}为合格", "qualified per list {list} of {issued}"),
    "not-qualified": Text("依{issued}的清单{list}不合格", "not qualified per list {list} of {issued}"),
    "not-determined": Text("是否合格未确定", "qualified status not determined"),
}
"""Qualified in the sense of eIDAS art. 42, as trusted lists in the policy say."""

UNMET: Mapping[str, Text] = {
    **{f"row-{number}": Text(f"第{number}行未通过", f"row {number} did not pass") for number in range(1, 12)},
    "no-content-compared": Text("记录完好，但未比对任何文件", "record intact, no file compared"),
    "tsa-groups": Text("独立时间戳机构不足", "too few independent time-stamping authorities"),
    "anchors": Text("已确认的锚定不足", "too few confirmed anchors"),
    "witnesses": Text("见证者不足", "too few witnesses"),
    "full-chain": Text("锚定链不完整", "the chain of anchors is not complete"),
    "cut": Text("截取点未涵盖存入记录", "the cut does not reach the deposit"),
    "too-old": Text("截取点过旧", "the cut is older than the policy allows"),
}

NOT_CHECKED: tuple[Text, ...] = (
    Text(
        "日志中是否另有占用同一位置的条目，或更晚的事件（需要日志镜像）",
        "whether the log holds a second entry with one of these slots, or a later event (needs a mirror of it)",
    ),
    Text(
        "平台与日志自身事件在所示最后一项之后是否还有，例如其后的事故",
        "whether the platform or the log has further events of its own, such as a later incident",
    ),
)

NOT_CHECKED_WITH_MIRROR: tuple[Text, ...] = (
    Text(
        "日志镜像所及之后的事件，包括其后的事故",
        "what the log recorded after the end of the mirror, such as a later incident",
    ),
)

NEVER_PROVED: tuple[Text, ...] = (
    Text("作者、权属、内容真实", "authorship, ownership, or that the content is true"),
    Text(
        "存入之前的完整性；产生时间（仅能证明“不晚于”）",
        "integrity before the deposit; when it was made (only «not later than»)",
    ),
    Text("这是唯一或最早存入的版本", "that this is the only or the first version deposited"),
    Text("法律效力", "legal validity"),
)

LABEL: Mapping[str, Text] = {
    "since": Text("锚定之后", "Since anchoring"),
    "before": Text("锚定之前", "Before anchoring"),
    "item": Text("项", "Item"),
    "bundle": Text("证据包", "Bundle"),
    "log": Text("日志", "Log"),
    "policy": Text("信任策略", "Trust policy"),
    "as_of": Text("截取", "As of"),
    "complete": Text("对照日志镜像，所查至第…条", "Compared with a mirror of the log, up to size"),
    "given": Text("给定时间", "Given time"),
    "verifier": Text("核验程序", "Verifier"),
    "ran_by": Text("运行者", "run by"),
    "again": Text("{count} 条与前面各项相同", "{count} as for the items above"),
    "expected": Text("应为", "expected"),
    "found": Text("实为", "found"),
    "unmet": Text("未满足", "Not met"),
    "not_checked": Text("未核查", "Not checked"),
    "never": Text("从不证明", "Never proved"),
    "record_time": Text("记录时间", "Record time"),
    "content_time": Text("内容时间戳", "Content time"),
    "stamper": Text("时间戳机构", "Time-stamped by"),
    "anchors": Text("锚定", "Anchors"),
    "logged": Text("记录于…之间", "Logged between"),
    "unbounded": Text("无界", "unbounded"),
    "and": Text("与", "and"),
    "for": Text("代表", "for"),
    "login": Text("登录方式", "login"),
    "basis": Text("依据", "basis"),
    "grant": Text("授权", "grant"),
    "case": Text("案件", "Case"),
    "in_case": Text("案件", "case"),
    "order": Text("调查令", "order"),
    "order_number": Text("令号", "order number"),
    "result": Text("结果", "result"),
    "undisclosed": Text("未披露的个人信息", "personal values not disclosed"),
    "exported": Text("随本包一并封存", "exported and sealed with this bundle"),
    "as_of_cut": Text("截至截取点，此后未示", "as of the cut; nothing is shown after it"),
    "redacted": Text("遮盖的事件（仅核验其位置）", "Redacted events (only their places are verified)"),
    "left_out": Text("案件列有、本包未含的项", "An item of the case that is not in this bundle"),
    "handed_in": Text("提交的文件", "File handed in"),
    "bytes": Text("字节", "bytes"),
    "same_as": Text("与此项相同：{items}", "the same as {items}"),
    "none_of": Text(
        "不是本包任何一项的内容（已按 SHA-256 与{count}项比对）；这不涉及各项本身",
        "the content of no item in this bundle (compared with {count} by SHA-256); this says nothing about them",
    ),
    "not_all_of": Text(
        "不是可比对的{count}项中的任何一项；另有{sealed}项仅存承诺值，未能比对",
        "none of the {count} items that it could be compared with; of {sealed} only a commitment is known",
    ),
    "unauthenticated": Text(
        "；所比对的记录未经认证", "; the record that it was compared with is not authenticated"
    ),
    "other_file": Text(
        "提交的文件 {name} 不是本包任何一项的内容（与{count}项比对）",
        "the file handed in, {name}, is the content of no item in this bundle ({count} compared)",
    ),
}
