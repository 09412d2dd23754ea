"""What the report says of each finding, in Chinese and English, by the finding's code.

A sentence claims no more than its check found. Values are put in by `render`, quoted and escaped there.
"""

from collections.abc import Mapping

from evidence_vault.verify.texts import Text

FINDING: Mapping[str, Text] = {
    "form.complete": Text(
        "包完整可读，共{count}个部件", "The bundle is complete and readable: {count} parts"
    ),
    "form.unreadable": Text("不是可读的证据包", "This is no readable bundle"),
    "more": Text("另有{count}条结果未列出", "{count} more findings are not listed"),
    "mismatch": Text("{check}不一致", "{check} does not agree"),
    "content.same": Text(
        "内容与存入时逐字节相同（{algorithms}）",
        "The content is byte for byte what was deposited ({algorithms})",
    ),
    "content.same-digest": Text(
        "所比对文件的摘要与存入的摘要相同（{algorithms}）；平台从未持有内容",
        "The file's digest is the one that was deposited ({algorithms}); the vault never held the content",
    ),
    "content.same-unauthenticated": Text(
        "与包内自带的、未经认证的记录相符（{algorithms}）",
        "Matches the bundle's own, unauthenticated record ({algorithms})",
    ),
    "content.not-hashed": Text(
        "此处未计算{algorithm}摘要，未按此比对",
        "Not compared under {algorithm}: no such digest was computed here",
    ),
    "content.size": Text("内容大小与存入时不同", "The content's size is not that of the deposit"),
    "content.digest": Text(
        "内容的{algorithm}摘要与存入时不同", "The content's {algorithm} digest is not that of the deposit"
    ),
    "content.not-the-same": Text(
        "所提交的文件不是本包中的任何一项（已与{compared}项的 SHA-256 比对）；这不涉及各项本身",
        "The file handed in is none of the items in this bundle (its SHA-256 was compared with {compared}); this "
        "says nothing about the items",
    ),
    "content.not-comparable": Text(
        "所提交的文件不是可比对的{compared}项中的任何一项；另有{sealed}项仅存承诺值，未能比对",
        "The file handed in is none of the {compared} items that it could be compared with; of {sealed} only a "
        "commitment is known",
    ),
    "content.fixity-failed": Text(
        "平台复核时发现所存内容有问题（{cause}），此后未见恢复记录",
        "The vault read its copy again and found it damaged ({cause}); nothing says that it was mended",
    ),
    "content.fixity-failed-once": Text(
        "平台某次复核时发现所存内容有问题（{cause}），其后另有复核",
        "The vault once read its copy again and found it damaged ({cause}); it was read again later",
    ),
    "content.no-record": Text("缺少存入记录", "The record of the deposit is missing"),
    "content.commitment": Text(
        "仅存入承诺值，此处不能打开", "Only a commitment was deposited; it can't be opened here"
    ),
    "content.never-deposited": Text(
        "仅存入摘要，未比对文件；可用 --file 提交文件",
        "Only a digest was deposited; no file was compared. Hand one in with --file",
    ),
    "content.withheld": Text(
        "内容未随包提供，未比对文件；可用 --file 提交文件",
        "The content is withheld here; no file was compared. Hand one in with --file",
    ),
    "content.denied": Text(
        "包称从未存入内容，而记录显示曾存入",
        "The bundle says that no content was deposited; the record says that it was",
    ),
    "events.chain": Text("{count}个事件首尾相接，无缺失", "{count} events form one chain without a gap"),
    "events.gap": Text("缺少事件", "An event is missing"),
    "events.misplaced": Text("事件不在其应在的位置", "An event stands in the wrong place"),
    "events.prev": Text("事件所指的前一事件不符", "An event does not name the one before it"),
    "events.unknown-type": Text(
        "本版本不认识的事件类型{type}", "This version does not know events of type {type}"
    ),
    "events.undisclosed": Text("有{count}个值未披露", "{count} values are not disclosed"),
    "events.not-sealed": Text(
        "没有导出事件，不能证明材料完整", "There is no EXPORTED event: that nothing was cut off is not shown"
    ),
    "events.sealed": Text(
        "导出事件封存了全部部件，截取点为第{size}条", "The EXPORTED event seals all parts, cut at size {size}"
    ),
    "events.after-seal": Text("封存之后另有事件", "There are events behind the seal, or two seals"),
    "events.parts-changed": Text("部件清单与封存时不同", "The list of parts is not the sealed one"),
    "events.cut": Text("截取点与日志不符", "The cut is no checkpoint of this bundle"),
    "events.cuts-differ": Text("各项的截取点不一致", "The items name different cuts"),
    "parts.unlisted": Text("封存时没有的文件", "A file that was not there when the bundle was sealed"),
    "parts.missing": Text(
        "封存时有而现在缺少的文件", "A file that was there when the bundle was sealed is missing"
    ),
    "parts.digest": Text("文件与封存时不同", "A file is not the sealed one"),
    "log.recorded": Text(
        "{count}个事件均在日志第{size}条检查点内，顺序无误",
        "{count} events are in the log's checkpoint of size {size}, in order",
    ),
    "log.unknown": Text("信任策略中没有此日志", "The trust policy does not name this log"),
    "log.unknown-key": Text(
        "检查点的签名钥不在信任策略中", "The trust policy does not name the key that signed this checkpoint"
    ),
    "log.key-range": Text("签名钥不适用于此大小的检查点", "The key was not the log's at this size"),
    "log.key-expired": Text(
        "该签名钥只信任到某时，而截取点不能证明更早",
        "The key is trusted only up to a time, and the cut is not shown to be older",
    ),
    "log.origin": Text("检查点属于另一日志", "The checkpoint is another log's"),
    "log.size": Text("检查点的大小与文件名不符", "The checkpoint's size is not that of its file name"),
    "log.no-consistency": Text(
        "缺少两个检查点之间的一致性证明", "The consistency proof between two checkpoints is missing"
    ),
    "log.no-inclusion": Text("缺少事件的包含证明", "An event's inclusion proof is missing"),
    "log.other-checkpoint": Text(
        "包含证明不是针对最大检查点", "An inclusion proof is not against the largest checkpoint"
    ),
    "log.order": Text("事件在日志中的次序与序号不符", "Events stand in the log in another order"),
    "log.not-opened": Text("日志首条不是 LOG_OPENED", "The log's leaf 0 is not its LOG_OPENED"),
    "log.unnamed-key": Text("日志本身未公布过该签名钥", "The log never named the key that signed"),
    "log.rotation": Text(
        "换钥记录与双方签名不符", "A rotation of the log's key is not what both keys signed"
    ),
    "log.added": Text(
        "后补的检查点（大小{size}）与封存的检查点（大小{newest}）相一致",
        "Added later: a checkpoint of size {size}, consistent with the sealed one of size {newest}",
    ),
    "log.added-open": Text(
        "后补的日志部件不能采用：{reason}",
        "A part of the log that was added later does not count: {reason}",
    ),
    "log.key-order": Text(
        "检查点由彼时不在用的签名钥签署", "Another of the log's keys was in use at this size"
    ),
    "log.event-origin": Text("事件属于另一日志", "An event is another log's"),
    "log.class": Text(
        "事件的类别与信任策略不同", "An event is not of the class that the policy gives this log"
    ),
    "mirror.complete": Text(
        "截至日志第{size}条，没有更晚的事件",
        "Complete as of size {size}: the log holds no later event about it",
    ),
    "mirror.went-on": Text(
        "此后另有事件，见日志第{index}条（已查至第{size}条）；取出材料本身也是事件",
        "The record went on at index {index} (looked at up to size {size}); handing out is an event too",
    ),
    "mirror.second-entry": Text(
        "日志中另有条目占用此事件的位置：同一对象有两份历史",
        "The log holds a second entry in this event's slot: two histories of one subject",
    ),
    "mirror.fork": Text(
        "日志镜像与本包所示历史不同，且两者均由日志签名：日志分叉",
        "The mirror shows another history than the bundle, and the log signed both: a fork",
    ),
    "mirror.other-history": Text(
        "日志镜像与本包所示历史不同；本包的检查点未经认证",
        "The mirror shows another history than the bundle, whose checkpoint is not authenticated",
    ),
    "mirror.shorter": Text(
        "日志镜像止于本包的检查点之前",
        "The mirror ends before the bundle's checkpoint: follow the log further",
    ),
    "mirror.unsigned": Text(
        "日志镜像的检查点没有信任策略中的签名", "No key of the policy signed the mirror's checkpoint"
    ),
    "mirror.unreadable": Text("日志镜像不能采用", "The mirror can't be used"),
    "mirror.damaged": Text(
        "日志镜像的条目与其检查点不符", "The mirror's entries are not those of its checkpoint"
    ),
    "token.good": Text(
        "{authority}于{time}见证了内容（{group}，{tsa_class}）",
        "{authority} stamped the content at {time} ({group}, {tsa_class})",
    ),
    "token.good-checkpoint": Text(
        "{authority}于{time}见证了检查点（{group}，{tsa_class}）",
        "{authority} stamped the checkpoint at {time} ({group}, {tsa_class})",
    ),
    "token.not-revoked": Text(
        "所附吊销证据显示：在{time}，{authority}的证书未被吊销",
        "The revocation evidence carried shows no certificate of {authority} revoked at {time}",
    ),
    "token.revocation-unknown": Text(
        "未附覆盖{authority}在{time}的全部证书的吊销证据",
        "No revocation evidence carried covers all certificates of {authority} at {time}",
    ),
    "token.secret": Text(
        "存入时声明为保密，其摘要未送交任何时间戳机构；时间来自涵盖该记录的检查点",
        "The deposit was declared secret, so that its digest went to no authority; the time is that of the "
        "checkpoints which hold the record",
    ),
    "token.open": Text("时间戳不能确认：{reason}（{sub}）", "The token can't be confirmed: {reason} ({sub})"),
    "token.missing": Text("缺少记录过的时间戳", "A recorded token is missing"),
    "token.unrecorded": Text("没有事件记录过此时间戳", "No event recorded this token"),
    "token.added": Text(
        "后补：{authority}于{time}见证了检查点", "Added later: {authority} stamped the checkpoint at {time}"
    ),
    "token.added-wrong": Text(
        "后补的时间戳不能采用：{reason}", "A token added later does not count: {reason}"
    ),
    "anchor.included": Text(
        "与{network}区块{block}（{hash}）一致", "Consistent with block {block} of {network}, hash {hash}"
    ),
    "anchor.stamped": Text(
        "位于{network}区块{block}的默克尔根{root}之下",
        "Under the Merkle root {root} of block {block} of {network}",
    ),
    "anchor.promised": Text(
        "仅有日历服务器的承诺，尚不证明任何事：{reason}",
        "Only promised by calendars, which proves nothing yet: {reason}",
    ),
    "added.malformed": Text(
        "后补的部分格式有误，未予采用：{reason}",
        "A part added later is malformed and was left out: {reason}",
    ),
    "anchor.younger": Text(
        "其中{count}个事件晚于最后一次已确认的锚定",
        "{count} events are younger than the last confirmed anchor",
    ),
    "anchor.lost": Text(
        "检查点{size}的这次锚定已不在链上，日志自己记录了这一点；不计入",
        "This anchor of checkpoint {size} is on its chain no more, as the log itself says; it does not count",
    ),
    "anchor.missing": Text("缺少记录过的锚定证明", "The proof of a recorded anchor is missing"),
    "anchor.unrecorded": Text("没有事件记录过此锚定证明", "No event recorded this anchor proof"),
    "anchor.unknown-kind": Text(
        "本版本不认识的锚定类型{kind}", "This version does not know anchors of kind {kind}"
    ),
    "anchor.unknown-contract": Text(
        "信任策略未列出链{chain}上的合约", "The trust policy names no contract of this log on chain {chain}"
    ),
    "anchor.unknown-chain": Text("信任策略未列出{chain}", "The trust policy does not name {chain}"),
    "anchor.unconfirmed": Text(
        "{network}的区块未得到确认：{reason}", "The block is not confirmed, on {network}: {reason}"
    ),
    "anchor.ahead": Text("区块时间晚于给定时间", "The block is younger than the given time"),
    "anchor.final": Text(
        "检查点已公开记录于{network}（{chain_class}）区块{block}，时间{time}。{source}",
        "The checkpoint was public in block {block} of {network} ({chain_class}), {time}. {source}",
    ),
    "anchor.added-open": Text(
        "后补的锚定证明不能采用：{reason}", "An anchor added later does not count: {reason}"
    ),
    "time.bounded": Text(
        "存入事件的记录时间有外部上限", "An outside time bounds the deposit's record from above"
    ),
    "time.no-upper": Text(
        "不足{k}个独立来源为存入事件给出时间上限",
        "Fewer than {k} independent sources bound the deposit's record from above",
    ),
    "time.ahead": Text(
        "事件自称的时间晚于其已被记录的时间", "An event claims a time after it was already recorded"
    ),
    "time.late": Text(
        "事件自称的时间远早于其被记录的时间", "An event claims a time long before it was recorded"
    ),
    "time.dissent": Text("{group}的时间与其他来源不符", "The time of {group} disagrees with all others"),
    "time.contradiction": Text(
        "各外部时间来源互相矛盾：{groups}", "The outside times contradict each other: {groups}"
    ),
    "attestation.signed": Text(
        "由{signer}签名，称所查相符。已查：{examined}；未查：{not_examined}；截至第{head}号事件；备注：{remark}。至导出时未撤回",
        "Signed by {signer}, who found that what was examined matches. Examined: {examined}; not examined: "
        "{not_examined}; as of event {head}; remark: {remark}. Not withdrawn up to the export",
    ),
    "attestation.differs": Text(
        "由{signer}签名，称所查有不符。已查：{examined}；未查：{not_examined}；截至第{head}号事件；备注：{remark}",
        "Signed by {signer}, who found that something differs. Examined: {examined}; not examined: "
        "{not_examined}; as of event {head}; remark: {remark}",
    ),
    "attestation.inconclusive": Text(
        "由{signer}签名，称不能得出结论。已查：{examined}；未查：{not_examined}；截至第{head}号事件；备注：{remark}",
        "Signed by {signer}, who came to no conclusion. Examined: {examined}; not examined: {not_examined}; "
        "as of event {head}; remark: {remark}",
    ),
    "attestation.unsigned": Text(
        "由登录用户作出、未经签名的证明，仅有平台记录为凭。结果：{result}；已查：{examined}；未查：{not_examined}；截至第{head}号事件；备注：{remark}",
        "An unsigned statement by a signed-in person, on the vault's word alone. Result: {result}; examined: "
        "{examined}; not examined: {not_examined}; as of event {head}; remark: {remark}",
    ),
    "attestation.open": Text(
        "证明书的签名不能确认：{reason}（{sub}）",
        "The signature on a statement can't be confirmed: {reason} ({sub})",
    ),
    "attestation.withdrawn": Text(
        "证明已由第{seq}号事件撤回，理由：{reason}",
        "The attestation was withdrawn by event {seq}, for the reason: {reason}",
    ),
    "attestation.withdrawal-signed": Text(
        "对第{seq}号事件所作证明的撤回，由{signer}签名",
        "The withdrawal of the attestation at event {seq} is signed by {signer}",
    ),
    "attestation.withdrawal-unsigned": Text(
        "对第{seq}号事件所作证明的撤回未经签名，仅有平台记录为凭",
        "The withdrawal of the attestation at event {seq} is unsigned, on the vault's word alone",
    ),
    "attestation.revocation-unknown": Text(
        "未随附完整的吊销信息，不能排除签名证书在签名前已被吊销",
        "No complete revocation evidence is carried: that the signer's certificate was not revoked is not shown",
    ),
    "attestation.moved": Text(
        "证明书说的是另一对象或另一状态（{what}不符）",
        "The statement is about something else than where it stands ({what} does not agree)",
    ),
    "attestation.missing": Text("缺少记录过的证明书", "A recorded statement is missing"),
    "attestation.unrecorded": Text("没有事件记录过此证明书", "No event recorded this statement"),
    "algorithm.adequate": Text(
        "{place}在给定时间没有已知弱点", "No known weakness of {place} at the given time"
    ),
    "algorithm.refused": Text(
        "{place}自{since}起不再采用，需要续证", "{place} is refused from {since}: renewal needed"
    ),
    "platform.stated": Text(
        "运营者：{operator}；与当事人关系：{relation}；备案：{filings}",
        "Operator: {operator}; relation to the parties: {relation}; filings: {filings}",
    ),
    "platform.no-filings": Text("未申报任何备案", "No filings are declared"),
    "platform.can-read": Text("运营者能够读取内容", "The operator can read contents"),
    "platform.can-not-read": Text(
        "运营者声明不能读取内容", "The operator states that contents can't be read by the vault"
    ),
    "platform.own": Text("本存证平台由存入者自行运营", "The vault is run by the depositor"),
    "platform.incident": Text(
        "期间有事故：{kind}，{began} 至 {ended}。{summary}",
        "An incident overlaps: {kind}, {began} to {ended}. {summary}",
    ),
}
